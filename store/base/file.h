/* Descriptors of files. Any thread. */
#ifndef STORE_BASE_FILE_H
#define STORE_BASE_FILE_H

#include "store/base/bytes.h"

/* Writes all of it, also when a signal comes in between. False: errno says why, and a part of it
 * may be written. */
bool file_write_all(int descriptor, struct bytes bytes);

#endif
