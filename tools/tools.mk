# Programs.
