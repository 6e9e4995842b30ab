// SPDX-License-Identifier: Apache-2.0
#pragma once

#if !__has_include(<sqlite3.h>)
#error "sqlite3.h is missing: install Debian's libsqlite3-dev (make setup does it)"
#endif
#include <sqlite3.h>
