"""The report of a dataset check: a page to read and PaddleX's files.

`folder.write_report` makes it.
"""
