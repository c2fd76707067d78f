"""What `penstock doctor` says of the stores."""

from __future__ import annotations

from penstock.errors import Misconfigured
from penstock.platforms.migrations import shipped
from penstock.platforms.server import Places, schema, sql
from penstock.platforms.server.connect import client, greeted
from penstock.platforms.server.pipe import Pipe


async def postgres(where: Places) -> str:
    """Reachable, writable, its schema current, and what it acknowledges kept; raises Misconfigured."""
    await schema.check(where.postgres, shipped("postgres"))
    connection = await schema.connect(where.postgres)
    try:
        loose = await connection.fetchval(sql.LOOSE)
    finally:
        await schema.leave(connection)
    if loose:
        raise Misconfigured(
            f"stores.postgres: {schema.place(where.postgres)} may lose what it acknowledged when it crashes;"
            f" set {loose} on"
        )
    return f"{schema.place(where.postgres)} is at migration {shipped()[-1].version}"


async def redis(where: Places) -> str:
    """Reachable, new enough, and never dropping counts; raises Misconfigured."""
    reached = client(where.redis)
    pipe = Pipe(reached)
    try:
        await greeted(pipe, where.redis)
    finally:
        await pipe.close()
        await reached.aclose()
    return f"{schema.place(where.redis)} answers"
