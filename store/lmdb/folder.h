/* The data folder: that it exists, is ours alone, lies on a file system LMDB can trust, and how
 * much room the disk has. */
#ifndef STORE_LMDB_FOLDER_H
#define STORE_LMDB_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

enum { STORE_PATH_BYTES_MAX = 4096 };

struct store_folder {
    char path[STORE_PATH_BYTES_MAX];
    int directory; /* open descriptors; -1 when not open */
    int lock;
};

/* Creates the folder (0700) when missing, locks it against a second server, checks the file system.
 * ERR_UNAVAILABLE when it is in use or unsuitable. */
ERR_MUST_CHECK enum err_code store_folder_open(struct store_folder *f, const char *path, bool force,
                                               struct err *err);
/* Lets the lock go. A zeroed or closed folder is fine. */
void store_folder_drop(struct store_folder *f);
/* "<folder>/<name><suffix>"; false when that is too long. */
bool store_folder_path(const struct store_folder *f, const char *name, const char *suffix,
                       char out[STORE_PATH_BYTES_MAX]);
/* Makes creations, renames and removals in the folder durable. */
ERR_MUST_CHECK enum err_code store_folder_sync(const struct store_folder *f, struct err *err);
/* A new file in the folder, without a name. *descriptor: owned by the caller. */
ERR_MUST_CHECK enum err_code store_folder_temporary(const struct store_folder *f, int *descriptor,
                                                    struct err *err);
/* Bytes the disk still has for us; 0 when it cannot be asked. */
uint64_t store_folder_room_bytes(const struct store_folder *f);

#endif
