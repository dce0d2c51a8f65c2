"""A newcomer's first ten minutes: a problem file from a look at the logs, and a look at the machine.

Nothing here is imported by what runs afterwards. ``guess`` is behind ``label-platform init``,
``doctor`` behind ``label-platform doctor``.
"""
