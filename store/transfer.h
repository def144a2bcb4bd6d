/* Copying a whole store: what an engine gives for it, beside store.h.
 *
 * A store is built from nothing in a folder of its own, "load" inside the data folder, where it can
 * be opened and looked at like any other; then it takes the place of what is in the data folder,
 * all of it or nothing, whenever the power goes. Until then the data folder is as it was.
 *
 * Life of a load: open -> begin -> records, chunks -> finish -> (may be opened as a store) ->
 * install; dropping it before that removes everything it made. */
#ifndef STORE_TRANSFER_H
#define STORE_TRANSFER_H

#include "store/store.h"

/* What a store knows of itself besides its records. */
struct store_state {
    uint64_t identity;
    uint64_t incarnation; /* the one in which it was read: no id of a later one is in use */
    uint64_t revision;
    uint64_t origin; /* store_origin */
};

struct store_state store_state_of(const struct store_view *view);

/* What a chunk says of itself. */
struct store_chunk_look {
    struct store_chunk_place place;
    uint32_t crc;
    struct bytes payload; /* borrows as store_chunk_read's */
};

/* A chunk by its id alone, its payload's checksum recomputed. The caller keeps it readable by a
 * snapshot or a lease. ERR_DATA_LOSS when missing or damaged; ERR_UNAVAILABLE after
 * store_interrupt. */
ERR_MUST_CHECK enum err_code store_chunk_examine(struct store *store, uint64_t id,
                                                 struct store_chunk_look *out, struct err *err);

struct store_load;

/* For a folder that has no store: made when missing (0700), locked until drop.
 * ERR_FAILED_PRECONDITION when anything is in it already. Of `config` the directory, map size and
 * file system are used. */
ERR_MUST_CHECK enum err_code store_load_open(const struct store_config *config,
                                             struct store_load **out, struct err *err);
/* For the folder of a store that is open, which must be closed after the install, without another
 * unit in between. */
ERR_MUST_CHECK enum err_code store_load_open_beside(struct store *store, struct store_load **out,
                                                    struct err *err);
/* Once, first. ERR_DATA_LOSS when no store can have that state. */
ERR_MUST_CHECK enum err_code store_load_begin(struct store_load *load,
                                              const struct store_state *state, struct err *err);
/* Keys ascend, and so do the ids of chunks of one class: anything else is ERR_DATA_LOSS, and so are
 * keys, records and chunks that no store can have. ERR_FULL as store_update. */
ERR_MUST_CHECK enum err_code store_load_record(struct store_load *load, struct bytes key,
                                               struct bytes value, struct err *err);
ERR_MUST_CHECK enum err_code store_load_chunk(struct store_load *load, uint64_t id,
                                              struct store_chunk_place place, struct bytes payload,
                                              struct err *err);
/* Everything is on disk. */
ERR_MUST_CHECK enum err_code store_load_finish(struct store_load *load, struct err *err);
/* Where the finished store is, for store_open; lives as long as the load. */
const char *store_load_directory(const struct store_load *load);
/* From the moment this returns OK the loaded store is the data folder's. Nobody may have it open.
 * After ERR_UNKNOWN a power cut may decide. */
ERR_MUST_CHECK enum err_code store_load_install(struct store_load *load, struct err *err);
void store_load_drop(struct store_load *load); /* NULL is fine */

#endif
