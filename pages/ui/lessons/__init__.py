"""Lessons: files of steps over the Tune page, what they ask for, and whether it was done."""
