"""The contenders: how each is configured and started in front of the fake provider."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.env import PEERS, ROOT
from bench.process import GATEWAY_CORE, LOAD_CORE, BenchFailed, Process, free_port

START_SECONDS = 180.0
BIN = ROOT / ".venv/bin"
MASTER_KEY = "sk-bench"
REPLY = json.dumps(
    {
        "id": "chatcmpl-static",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(["word"] * 50)},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 50, "completion_tokens": 50, "total_tokens": 100},
    }
)
NGINX = """
worker_processes 1;
daemon off;
pid {home}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  keepalive_requests 1000000000;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ {location} }}
  }}
}}
"""
POOL = "upstream source {{ server {address}; keepalive 256; keepalive_requests 1000000000; }}"
PASS = """proxy_pass http://source; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-fake"; proxy_buffering off;"""
KEEP = """proxy_pass http://source; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache kept; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status;"""
AS_ROOT = "user root;"
"""What root's nginx keeps, its worker has to reach."""
KEPT = "proxy_cache_path {home}/kept levels=1:2 keys_zone=kept:10m;"
STATIC = "default_type application/json; return 200 '{reply}';"
PENSTOCK = """
data = "{home}/data"
[providers.openai]
kind = "openai"
base_url = "{source}/v1"
api_key = "sk-fake"
[[targets]]
provider = "openai"
model = "gpt-4o"
[tiers.enterprise]
requests_per_hour = 1000000000
scale = 10000000
"""


@dataclass
class Contender:
    """A started program: where it is reached, by what headers, and what it cost to start."""

    name: str
    process: Process
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.start_seconds = time.monotonic() - self.process.began

    @contextmanager
    def awake(self) -> Iterator[Contender]:
        """Runs while it is measured, and only then."""
        self.process.wake()
        try:
            yield self
        finally:
            self.process.sleep()


def nginx(
    home: Path, name: str, source: str | None, port: int = 0, *, keeps: bool = False
) -> Contender:
    """`proxy_pass` with kept connections, and `proxy_cache` where it keeps; with no source, a static reply on the load's core."""
    folder, port = home / name, port or free_port()
    folder.mkdir(exist_ok=True)
    address = (source or "").removeprefix("http://")
    location = (KEEP if keeps else PASS) if source else STATIC.format(reply=REPLY)
    upstream = POOL.format(address=address) if source else ""
    upstream += KEPT.format(home=folder) if keeps else ""
    text = NGINX.format(home=folder, port=port, upstream=upstream, location=location)
    if keeps and os.geteuid() == 0:
        text = AS_ROOT + text
    (folder / "nginx.conf").write_text(text)
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise BenchFailed("nginx is missing; run `make bench-env`")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    core = GATEWAY_CORE if source else LOAD_CORE
    return _started(name, home, command, port, core=core)


def litellm(home: Path, source: str, *, cache: bool) -> Contender:
    """LiteLLM's proxy, a master key asked for, no database; its in-memory cache only where told."""
    name = "litellm-cache" if cache else "litellm"
    settings: dict[str, object] = {"telemetry": False}
    if cache:
        settings |= {"cache": True, "cache_params": {"type": "local"}}
    target = {"model": "openai/gpt-4o", "api_base": f"{source}/v1", "api_key": "sk-fake"}
    config = {
        "model_list": [{"model_name": "gpt-4o", "litellm_params": target}],
        "general_settings": {"master_key": MASTER_KEY},
        "litellm_settings": settings,
    }
    file, port = home / f"{name}.yaml", free_port()
    file.write_text(json.dumps(config))  # JSON is YAML
    command = [str(PEERS / "litellm/bin/litellm"), "--config", str(file), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    made = _started(name, home, command, port, env=env)
    made.headers["authorization"] = f"Bearer {MASTER_KEY}"
    return made


def portkey(home: Path, source: str) -> Contender:
    """Portkey's gateway; it knows no callers, so each request names the provider and its key."""
    port = free_port()
    package = PEERS / "portkey/node_modules/@portkey-ai/gateway"
    command = ["node", str(package / "build/start-server.js"), "--headless", f"--port={port}"]
    made = _started("portkey", home, command, port)
    made.headers |= {
        "authorization": "Bearer sk-fake",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{source}/v1",
    }
    return made


def bare(home: Path, source: str, client: str) -> Contender:
    """A minimal ASGI app with one upstream client, under uvicorn as Penstock is."""
    port = free_port()
    command = [str(BIN / "uvicorn"), "bench.bare:app", "--port", str(port), "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    command += ["--no-server-header", "--no-date-header", "--lifespan", "off"]
    env = {"CLIENT": client, "UPSTREAM": source}
    return _started(f"bare-{client}", home, command, port, env=env)


def penstock(
    home: Path, source: str, name: str = "penstock", settings: str = PENSTOCK
) -> Contender:
    """Penstock as a user starts it: auth, limits, ledger and access log on, embedded SQLite."""
    folder, port = home / name, free_port()
    folder.mkdir()
    config = folder / "penstock.toml"
    config.write_text(settings.format(home=folder, source=source))
    command = [str(BIN / "penstock"), "serve", "--config", str(config), "--port", str(port)]
    made = _started(name, home, command, port, ready="/readyz")
    made.headers["authorization"] = f"Bearer {token(config)}"
    return made


def restarted(home: Path, command: list[str]) -> Contender:
    """The Penstock of that home, ended before, by another command."""
    name = "penstock"
    config, port = home / name / "penstock.toml", free_port()
    words = [*command, "serve", "--config", str(config), "--port", str(port)]
    made = _started(name, home, words, port, ready="/readyz")
    made.headers["authorization"] = f"Bearer {token(config)}"
    return made


def token(config: Path, *more: str) -> str:
    """A token of the development issuer there."""
    command = [str(BIN / "penstock"), "token", "--sub", "bench", "--tier", "enterprise"]
    done = subprocess.run(
        [*command, *more, "--ttl", "12h", "--config", str(config)], capture_output=True, text=True
    )
    if done.returncode:
        raise BenchFailed(f"penstock token failed: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def _started(
    name: str,
    home: Path,
    command: list[str],
    port: int,
    *,
    core: int = GATEWAY_CORE,
    env: dict[str, str] | None = None,
    ready: str = "",
) -> Contender:
    process = Process(command, home / f"{name}.log", core=core, env=env, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        process.listening(port, START_SECONDS)
        if ready:
            _answers(url + ready, process.began + START_SECONDS)
        return Contender(name, process, url)
    except BaseException:
        process.end()
        raise


def _answers(url: str, until: float) -> None:
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.005)
        else:
            return
    raise BenchFailed(f"{url} never answered 200")
