"""Reading a table, whatever it is written in, as blocks of rows."""
