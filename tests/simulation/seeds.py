"""Plays seeds, each on a loop of its own that nothing reaches from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from tests.simulation.air import Quiet
from tests.simulation.replica import RUNS_IN, Killed, Replica
from tests.simulation.world import Break, Broken, World


def play_all(seeds: Iterable[int], broken: Break = lambda tables: tables) -> None:
    """Runs one seed after another; raises Broken at the first whose books are."""
    for seed in seeds:
        play(seed, broken)


def play(seed: int, broken: Break = lambda tables: tables) -> World:
    """Runs a seed to its end; raises Broken with its number, and how to see it again."""
    world = World(seed, broken)
    run(world, seed)
    return world


def run(world: World, seed: int) -> None:
    """Runs a world on a loop of its own."""
    quiet = Quiet()
    loop = asyncio.SelectorEventLoop(quiet)
    quiet.idle = world.idle
    problems: list[Any] = []
    loop.set_task_factory(lambda loop, work, **more: _task(loop, work, world, **more))
    loop.set_exception_handler(lambda loop, context: problems.append(context))
    try:
        loop.run_until_complete(world.run())
        if problems:
            raise Broken(f"the loop was told of {problems[0]!r}")
    except Broken as broken_books:
        again = f".venv/bin/python -m tests.simulation {seed}"
        raise Broken(
            f"seed {seed}: {broken_books}\nTo see it again, step by step: {again} --trace"
        ) from None
    finally:
        quiet.idle = loop.stop
        _clear(loop, world)


def _task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], world: World, **more: Any
) -> asyncio.Task[Any]:
    """A task that its replica knows of, with whatever it starts in turn."""
    task = asyncio.Task(work, loop=loop, **more)
    replica = RUNS_IN.get() if "context" not in more else more["context"].get(RUNS_IN)
    if replica is not None:
        replica.tasks[task] = None
        task.add_done_callback(lambda task: _ended(task, replica, world))
        if replica.dead:
            task.cancel()
    return task


def _ended(task: asyncio.Task[Any], replica: Replica, world: World) -> None:
    replica.tasks.pop(task, None)
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Killed):
        world.fail(f"{replica}: a task ended with {error!r}")


def _clear(loop: asyncio.AbstractEventLoop, world: World) -> None:
    """Ends what a broken seed left."""
    for replica in (*world.replicas, *world.dead):
        replica.thaw()
        replica.kill()
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_forever()
    loop.close()
