/* The side file of interval mode, sync.meta: which snapshots of the three files were last known to
 * be on disk, together.
 *
 * It is there exactly while commits may be unsynced: made before the first, removed by a clean
 * close. When a start finds it and the machine was restarted since (another boot id), newer pages
 * may be there in part: the saved snapshots become the newest again. Under the same boot id the
 * page cache has survived, and nothing is lost. Two slots, written in turn, each with a generation
 * and a checksum. */
#ifndef STORE_LMDB_SIDE_H
#define STORE_LMDB_SIDE_H

#include "store/lmdb/folder.h"
#include "store/lmdb/image.h"

enum { STORE_SIDE_FILES = 3, STORE_SIDE_BOOT_BYTES = 40 };

struct store_side_point {
    uint64_t generation;
    char boot[STORE_SIDE_BOOT_BYTES]; /* NUL-terminated */
    struct store_image_meta metas[STORE_SIDE_FILES];
};

/* The running system's boot id. */
ERR_MUST_CHECK enum err_code store_side_boot(char out[STORE_SIDE_BOOT_BYTES], struct err *err);
/* The newest point. *found false when there is no file; ERR_DATA_LOSS when no slot is whole. */
ERR_MUST_CHECK enum err_code store_side_read(const struct store_folder *folder, bool *found,
                                             struct store_side_point *out, struct err *err);
/* Writes the point into the older slot and syncs it; makes the file when there is none. */
ERR_MUST_CHECK enum err_code store_side_write(const struct store_folder *folder,
                                              const struct store_side_point *point,
                                              struct err *err);
ERR_MUST_CHECK enum err_code store_side_remove(const struct store_folder *folder, struct err *err);
/* Before the files are opened: after a restart of the machine goes back to the saved snapshots,
 * otherwise makes sure that everything is on disk. Then removes the side file. `names` are the
 * three files'. */
ERR_MUST_CHECK enum err_code store_side_recover(const struct store_folder *folder,
                                                const char *const names[STORE_SIDE_FILES],
                                                struct err *err);

#endif
