/* A whole store as one stream of bytes, and back: what GET /v1/backup sends, restore-backup reads
 * and compact passes through. No engine is in it, so any engine can read what another has written.
 *
 *     stream  = "tkbackup" BEGIN RECORDS* CHUNK* END
 *     frame   = u32 kind, u32 bytes of the body, u32 CRC-32C of the body,
 *               u32 CRC-32C of the 12 bytes before; the body
 *     BEGIN   = u32 version, u32 zero, u64 identity, incarnation, revision, origin, records, chunks
 *     RECORDS = (u16 bytes of the key, u16 bytes of the value, key, value)+; keys ascend, over all
 *     CHUNK   = u64 id, u64 family, u32 index, u32 zero, payload; ids of one class ascend
 *     END     = u64 records, u64 chunks, u32 CRC-32C of the heads of RECORDS and CHUNKs, u32 zero
 *
 * Numbers are little-endian. A stream without its END is no backup. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/transfer.h"

enum {
    BACKUP_VERSION = 1,
    BACKUP_MAGIC_BYTES = 8,
    BACKUP_FRAME_HEAD_BYTES = 16,
    BACKUP_BEGIN_BYTES = 56,
    BACKUP_CHUNK_HEAD_BYTES = 24,
    BACKUP_END_BYTES = 24,
    BACKUP_RECORDS_BYTES_MAX = 65536, /* a body; a record fits */
    BACKUP_BODY_BYTES_MAX = BACKUP_CHUNK_HEAD_BYTES + STORE_BULK_BYTES,
};

extern const uint8_t backup_magic[BACKUP_MAGIC_BYTES];

enum backup_kind {
    BACKUP_BEGIN = 0x47454254,   /* "TBEG" */
    BACKUP_RECORDS = 0x43455254, /* "TREC" */
    BACKUP_CHUNK = 0x4b484354,   /* "TCHK" */
    BACKUP_END = 0x444e4554,     /* "TEND" */
};

struct backup_counts {
    uint64_t records, chunks;
};

/* --- a store as a stream: backup.c ------------------------------------------------------------ */

/* One state of a store that goes on meanwhile. Records are copied aside when it is opened, into a
 * file without a name in the data folder; chunks are leased until it is dropped: both cost disk,
 * and neither holds a transaction. One thread at a time. */
struct backup;

/* ERR_FULL when the disk has no room for the records once more. */
ERR_MUST_CHECK enum err_code backup_open(struct store *store, struct backup **out, struct err *err);
/* The next piece, of at most BACKUP_BODY_BYTES_MAX; size 0 at the end. Borrows until the next call.
 * ERR_DATA_LOSS when a chunk is damaged: what was given so far has no END. */
ERR_MUST_CHECK enum err_code backup_next(struct backup *b, struct bytes *out, struct err *err);
uint64_t backup_revision(const struct backup *b);
void backup_drop(struct backup *b); /* NULL is fine */

/* --- and back: backup_read.c ------------------------------------------------------------------ */

/* Bytes of a stream, in order: at least one, *got 0 at its end. */
typedef enum err_code backup_source(void *context, uint8_t *out, size_t size, size_t *got,
                                    struct err *err);

/* What is done with what is read; each may fail, which ends the reading. */
struct backup_sink {
    enum err_code (*begin)(void *context, const struct store_state *state,
                           const struct backup_counts *counts, struct err *err);
    enum err_code (*record)(void *context, struct bytes key, struct bytes value, struct err *err);
    enum err_code (*chunk)(void *context, uint64_t id, struct store_chunk_place place,
                           struct bytes payload, struct err *err);
};

/* Reads a whole stream, which must end where its END says. ERR_DATA_LOSS says at which byte it is
 * none; what the sink was given until then means nothing. */
ERR_MUST_CHECK enum err_code backup_read(backup_source *source, void *source_context,
                                         const struct backup_sink *sink, void *sink_context,
                                         struct backup_counts *counts, struct err *err);
/* A backup that is open as a source. */
struct backup_pipe {
    struct backup *backup;
    struct bytes left; /* of the last piece */
};
ERR_MUST_CHECK enum err_code backup_pipe_source(void *pipe, uint8_t *out, size_t size, size_t *got,
                                                struct err *err);
/* Reads a stream into a load that is open, and finishes it. `fork`: what is told from now on must
 * not be taken for what the store told after the backup, so revisions go on far behind them
 * (store_origin). */
ERR_MUST_CHECK enum err_code backup_load(backup_source *source, void *source_context,
                                         struct store_load *load, bool fork,
                                         struct backup_counts *counts, struct err *err);

#endif
