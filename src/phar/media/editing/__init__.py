"""Edits of a video that copy what they can: cut, blur, pixelate, black out and mute spans."""

from phar.media.editing.job import ACTIONS, FORMATS, Edit, EditPlan, edit_video, plan_edit

__all__ = ["ACTIONS", "FORMATS", "Edit", "EditPlan", "edit_video", "plan_edit"]
