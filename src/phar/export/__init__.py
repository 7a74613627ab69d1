"""Writes reports: one writer a file, listed in WRITERS; reads them back for re-exports and tags."""

from phar.export.poses import load_poses, with_saved_poses
from phar.export.report import from_document, read_ranked, read_report, to_document
from phar.export.selection import selected
from phar.export.target import check_target, replacing
from phar.export.writers import WRITERS, Writer, writer_for

__all__ = [
    "WRITERS",
    "Writer",
    "check_target",
    "from_document",
    "load_poses",
    "read_ranked",
    "read_report",
    "replacing",
    "selected",
    "to_document",
    "with_saved_poses",
    "writer_for",
]
