"""The memory that workers share."""

from __future__ import annotations

import os

from penstock.entry.board import HEAD, PLACE_BYTES, Board


def test_each_has_a_place_of_its_own() -> None:
    board = Board(3)
    board.write(0, "first")
    board.write(2, "drittes, größer")
    assert [board.read(number) for number in range(3)] == ["first", "", "drittes, größer"]
    assert board.others(0) == ["", "drittes, größer"]
    board.write(2, "less")
    assert board.read(2) == "less"


def test_what_a_child_writes_its_parent_reads() -> None:
    board = Board(1)
    child = os.fork()
    if not child:
        board.write(0, "from the child")
        os._exit(0)
    os.waitpid(child, 0)
    assert board.read(0) == "from the child"


def test_what_is_half_written_or_too_long_is_not_read() -> None:
    board = Board(2)
    board.write(0, "whole")
    board.write(0, "x" * PLACE_BYTES)
    assert board.read(0) == "whole"
    board._memory[HEAD.size : HEAD.size + 1] = b"W"
    assert board.read(0) == ""
