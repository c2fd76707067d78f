"""How a paper looks: light and dark, on a phone and on A4."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--faint:#57606a;--line:#d0d7de;--page:#fff;--tile:#f6f8fa;--s0:#0b57b5;--s1:#1a7f4b;--s2:#a2670a}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--faint:#9aa4af;--line:#3a424b;--page:#0f1419;--tile:#181f27;--s0:#5ea1f5;--s1:#46b27e;--s2:#d9a441}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.7rem;line-height:1.25;margin:0}
header p{margin:.3rem 0 0;color:var(--faint)}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-top:.9rem;border-top:1px solid var(--line)}
p{margin:.6rem 0;max-width:46rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(12.5rem,1fr));gap:.6rem;margin:.8rem 0}
.figures div{background:var(--tile);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
dt{color:var(--faint);font-size:.85rem}
dd{margin:0}
dd b{display:block;font-size:1.35rem;line-height:1.3;font-variant-numeric:tabular-nums}
dd small{color:var(--faint)}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding-bottom:.3rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400}
thead th{color:var(--faint);font-size:.8rem}
tbody th{min-width:5.5rem}
.l{min-width:10.5rem}
.n{text-align:right;white-space:nowrap}
thead .n{white-space:normal}
.total>*{font-weight:600;border-top:2px solid var(--line)}
figure{margin:1rem 0}
figcaption{font-weight:600}
figcaption a{font-weight:400;margin-left:.6rem;color:var(--s0)}
svg{display:block;width:100%;min-width:32rem;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--faint)}
.r{stroke:var(--line);stroke-width:1}
.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}
:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
@page{size:A4;margin:16mm 14mm}
@media print{:root{color-scheme:light;--ink:#000;--faint:#444;--line:#bbb;--page:#fff;--tile:#fff;--s0:#0b57b5;--s1:#1a7f4b;--s2:#a2670a}
body{max-width:none;padding:0;font-size:10pt}table{font-size:8pt}.wide{overflow:visible}svg{min-width:0}figcaption a{display:none}
h2{break-after:avoid}figure,tr,.figures div{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
