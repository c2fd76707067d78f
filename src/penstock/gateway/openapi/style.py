"""The one style sheet of `/docs`: readable in light and dark, on a desk and on a phone."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #57606a; --paper: #ffffff; --wash: #f3f5f7;
  --line: #d5dae0; --accent: #0b5cad; --get: #1a7f37; --post: #0b5cad; --delete: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --faint: #9aa4b0; --paper: #14171b; --wash: #1d2228; --line: #343b44;
    --accent: #79b8ff; --get: #57c26f; --post: #79b8ff; --delete: #ff8f85; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 3rem 0 .25rem; font-size: 1.3rem; }
h3 { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
h4 { margin: 1.1rem 0 .35rem; font-size: .85rem; color: var(--faint); text-transform: uppercase; letter-spacing: .05em; }
p { margin: .4rem 0; }
a { color: var(--accent); }
code, pre, .method { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; font-size: .88em; }
code { background: var(--wash); border-radius: 4px; padding: .1em .3em; overflow-wrap: anywhere; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto; }
pre code { background: none; padding: 0; overflow-wrap: normal; }
section { margin: 1rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px; }
section h3 code { background: none; padding: 0; font-size: 1em; }
.method { display: inline-block; min-width: 4.2em; font-weight: 700; }
.get { color: var(--get); } .post { color: var(--post); } .delete { color: var(--delete); }
.faint { color: var(--faint); }
nav ul { columns: 17rem; gap: 2rem; margin: .5rem 0; padding: 0; list-style: none; }
nav li { break-inside: avoid; padding: .1rem 0; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
table { width: 100%; border-collapse: collapse; font-size: .93rem; }
th, td { padding: .35rem .6rem .35rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td { overflow-wrap: break-word; }
summary { cursor: pointer; margin-top: 1.1rem; font-size: .85rem; font-weight: 700; color: var(--faint);
  text-transform: uppercase; letter-spacing: .05em; }
details table { margin-top: .35rem; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  section { padding: .8rem; }
  tr { display: block; padding: .35rem 0; border-top: 1px solid var(--line); }
  th, td { display: block; padding: 0; border: 0; white-space: normal; }
}
"""
