"""The command line: one file a command, heavy imports inside the functions. Nothing imports this package.

`main` holds the table of commands; `arguments` makes the flags of a command from its signature;
`output` prints tables, JSON and progress.
"""
