/* The end of a load (store/transfer.h): a whole store, on disk, in the folder "loaded" inside the
 * data folder. Its name is the decision: while it is there, its files are the store's, and are
 * moved to their place before anything is opened, by whoever comes next. */
#ifndef STORE_LMDB_LOADED_H
#define STORE_LMDB_LOADED_H

#include "store/lmdb/folder.h"

extern const char *const store_load_name; /* "load": being built, or left by a crash */

/* Gives the folder "load" its final name. */
ERR_MUST_CHECK enum err_code store_loaded_decide(const struct store_folder *folder,
                                                 struct err *err);
/* Moves what is loaded to its place; does nothing when nothing is. Nobody has the files open. */
ERR_MUST_CHECK enum err_code store_loaded_settle(const struct store_folder *folder,
                                                 struct err *err);
/* Removes the folder "load" with what is in it; fine when there is none. */
ERR_MUST_CHECK enum err_code store_load_clear(const struct store_folder *folder, struct err *err);
/* Is there anything in the folder but what a load that was cut short left? *name: what. */
ERR_MUST_CHECK enum err_code store_load_check_empty(const struct store_folder *folder,
                                                    struct err *err);

#endif
