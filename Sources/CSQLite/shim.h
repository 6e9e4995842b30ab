// SPDX-License-Identifier: Apache-2.0
#pragma once

#if !__has_include(<sqlite3.h>)
#error "sqlite3.h is missing: install Debian's libsqlite3-dev (make setup does it)"
#endif
#include <sqlite3.h>

/// `sqlite3_db_config` for the options that switch something on or off. Swift cannot call a function with a variable
/// list of arguments.
static inline int verdict_sqlite_switch(sqlite3 *database, int option, int on) {
    return sqlite3_db_config(database, option, on, (int *)0);
}
