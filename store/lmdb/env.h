/* One data file: opened once, its readers pooled, its writers in turn.
 *
 * LMDB has one writer a file; the turn is a lock of ours around it, so that a waiting committer
 * goes before staging threads. Reads are short: a pooled handle is renewed for the look-up and
 * reset after it, because a read transaction held open makes the file grow. */
#ifndef STORE_LMDB_ENV_H
#define STORE_LMDB_ENV_H

#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/histogram.h"
#include "store/base/lock.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/turn.h"

struct store_env {
    const char *name; /* "meta.mdb"; static */
    const struct store_folder *folder;
    MDB_env *env; /* NULL: not open */
    MDB_dbi dbi;
    uint64_t map_bytes;
    uint64_t page_bytes;

    struct lock pool_lock;
    MDB_txn **idle; /* reset read transactions */
    unsigned idle_count, idle_max;

    struct store_turn turn; /* to write; the committer is favoured */
    unsigned sync_flags;    /* LMDB's, as they are set now; under the turn */

    _Atomic uint64_t written; /* commits since the start */
    _Atomic uint64_t durable; /* of those, how many are certainly on disk */
    struct histogram syncs;   /* how long they took, what they had to write included */
};

enum store_writer { STORE_WRITER_COMMITTER, STORE_WRITER_OTHER };

struct store_env_options {
    uint64_t map_bytes; /* halved until it opens */
    uint32_t readers_max;
};

/* Puts the first records into a new file. */
typedef enum err_code store_env_seed(struct store_env *e, MDB_txn *txn, void *context,
                                     struct err *err);

/* Creates the file under another name, syncs it, then gives it its name: LMDB's own creation does
 * not survive a power cut. `seed` may be NULL. */
ERR_MUST_CHECK enum err_code store_env_create(const struct store_folder *folder, const char *name,
                                              const struct store_env_options *options,
                                              store_env_seed *seed, void *context, struct err *err);
/* The file must exist. `folder` must outlive the environment. */
ERR_MUST_CHECK enum err_code store_env_open(struct store_env *e, const struct store_folder *folder,
                                            const char *name,
                                            const struct store_env_options *options,
                                            struct err *err);
/* Every transaction must have ended. A zeroed environment is fine. */
void store_env_drop(struct store_env *e);

/* A snapshot for a look-up, to be ended with store_env_read_end by one thread, any thread.
 * ERR_BUSY when readers_max are open. */
ERR_MUST_CHECK enum err_code store_env_read_begin(struct store_env *e, MDB_txn **out,
                                                  struct err *err);
void store_env_read_end(struct store_env *e, MDB_txn *txn);

/* Takes the turn without beginning a transaction, and gives it back. */
void store_env_turn_take(struct store_env *e, enum store_writer who);
void store_env_turn_give(struct store_env *e);
/* Takes the turn and begins. The same thread ends it, by commit or abort. */
ERR_MUST_CHECK enum err_code store_env_write_begin(struct store_env *e, enum store_writer who,
                                                   MDB_txn **out, struct err *err);
void store_env_write_abort(struct store_env *e, MDB_txn *txn);
/* `flags`: 0 (synced), MDB_NOMETASYNC or MDB_NOSYNC.
 * ERR_FULL and ERR_NO_MEMORY: nothing changed, the file is as before. Every other error: what the
 * disk holds is unknown, and nothing may be written any more. */
ERR_MUST_CHECK enum err_code store_env_write_commit(struct store_env *e, MDB_txn *txn,
                                                    unsigned flags, struct err *err);
/* Commits a change that leaves nothing behind, so that what the commit before freed can be used. */
ERR_MUST_CHECK enum err_code store_env_advance(struct store_env *e, unsigned flags,
                                               struct err *err);
/* Everything committed so far becomes durable. After a failure nothing may be written any more: the
 * kernel has dropped the pages. */
ERR_MUST_CHECK enum err_code store_env_sync(struct store_env *e, struct err *err);

/* Asks the kernel to begin writing what it has of the file. Makes nothing durable, and says nothing
 * of errors: the next sync does. */
void store_env_write_back(struct store_env *e);

/* What the file can still take when this transaction, which may be a writer's, commits, and may
 * grow by at most disk_bytes: also pages that it or the last ones freed, of which not all can be
 * used yet. */
ERR_MUST_CHECK enum err_code store_env_left(struct store_env *e, MDB_txn *txn, uint64_t disk_bytes,
                                            uint64_t *bytes, struct err *err);

struct store_env_space {
    uint64_t entries;
    uint64_t file_bytes; /* up to the last page in use */
    uint64_t free_bytes; /* of these, reusable */
    uint64_t room_bytes; /* what the map can still take, free pages included */
};
ERR_MUST_CHECK enum err_code store_env_space(struct store_env *e, struct store_env_space *out,
                                             struct err *err);

#endif
