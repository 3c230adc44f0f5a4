// SQLite's own header, as the system has it.
#include <sqlite3.h>
