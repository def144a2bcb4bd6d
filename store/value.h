/* Values: runs of bytes, kept inline, as one record, or as a list of chunks shared by a family.
 *
 * A record that owns a value (a variable's head, a checkpoint's entry) holds a `struct value_ref`,
 * and with it one reference. Copying a ref to another record = value_share; removing it =
 * value_release. Saving and restoring copy refs, never bytes.
 *
 * A value with one reference is updated in place (touched chunks get new ids); one with more is
 * forked: a new list of the same family that shares the untouched chunks at their positions. A
 * chunk of a dropped list is free exactly when no other list of the family has the same id at that
 * position.
 *
 * Layout by size: up to 1 KiB inline in the ref; up to 16 256 bytes one record; else chunks: whole
 * bulk chunks, then a tail of rows chunks when it is short, or one more bulk chunk. Class
 * STORE_CLASS_ROWS keeps the whole value in rows chunks. Position -> (offset, length, class) is
 * arithmetic: value_span. A constant fill stores its pattern once; chunk id 0 in a list means "the
 * pattern here". So does a recipe, from which the store's owner makes any of the bytes again
 * (store_recipe_make): a value of any size that costs one record until parts of it are changed.
 *
 * Records that do not fit together are ERR_DATA_LOSS, naming the value. */
#ifndef STORE_VALUE_H
#define STORE_VALUE_H

#include "store/base/buf.h"
#include "store/store.h"

enum {
    VALUE_INLINE_BYTES_MAX = 1024,
    VALUE_RECORD_BYTES_MAX = 16256,
    VALUE_PATTERN_BYTES_MAX = 16,
    VALUE_RECIPE_BYTES_MAX = 1000,
    VALUE_WRITE_BYTES_MAX = 1 << 20, /* made inside a unit by one value_write */
};

enum value_kind {
    VALUE_NONE,   /* no value: an uninitialized variable */
    VALUE_INLINE, /* the bytes are in the ref */
    VALUE_RECORD, /* one record of its own, id */
    VALUE_CHUNKS, /* a list of chunks, id; may be all pattern */
};

/* Small, copied by value. Encoded into the record that owns it. */
struct value_ref {
    enum value_kind kind;
    uint64_t size;                         /* bytes of the whole value */
    uint64_t id;                           /* VALUE_RECORD, VALUE_CHUNKS */
    uint8_t bytes[VALUE_INLINE_BYTES_MAX]; /* VALUE_INLINE */
};

ERR_MUST_CHECK enum err_code value_ref_encode(const struct value_ref *ref, struct buf *out,
                                              struct err *err);
/* A damaged ref sets in->failed and gives VALUE_NONE. */
void value_ref_decode(struct reader *in, struct value_ref *out);

/* --- reading ------------------------------------------------------------------------------- */

/* A value opened for reading from a view. Small; drop with value_reader_drop. */
struct value_reader {
    const struct store_view *view; /* borrowed; must outlive the reader */
    struct value_ref ref;
    uint64_t family;
    enum store_class class; /* of the leading chunks */
    uint32_t chunk_count;
    uint32_t pattern_size;         /* 0: no constant fill */
    bool has_recipe;               /* some bytes may be made when read */
    uint32_t made_index;           /* the chunk that pattern_chunk holds, of a recipe */
    uint32_t asked_index;          /* the chunk a part of which was made last */
    struct bytes record;           /* VALUE_RECORD: borrows from the view */
    struct value_head *head;       /* VALUE_CHUNKS: what the list begins with; owned */
    struct value_segment *segment; /* the decoded part of the list last used; owned */
    uint8_t *pattern_chunk; /* a chunk's worth of pattern, made when first asked for; owned */
};

/* ERR_FAILED_PRECONDITION for VALUE_NONE. Copies the ref. After a failure there is nothing to drop.
 */
ERR_MUST_CHECK enum err_code value_open(const struct store_view *view, const struct value_ref *ref,
                                        struct value_reader *out, struct err *err);
void value_reader_drop(struct value_reader *reader); /* a zeroed one is fine */

/* The longest contiguous run that begins at `offset` (< size), at most `size_max` bytes.
 * Borrows: inline bytes from the reader, a record from the view, a chunk from the view (a lease on
 * reader->family prolongs it), pattern bytes from the reader, bytes made from a recipe from
 * the reader until its next call. `pattern` (may be NULL) is set true for the last two. Runs begin
 * 64-byte aligned at chunk boundaries, otherwise anywhere. */
ERR_MUST_CHECK enum err_code value_run(struct value_reader *reader, uint64_t offset,
                                       uint64_t size_max, struct bytes *out, bool *pattern,
                                       struct err *err);
/* Copies [offset, offset + size). */
ERR_MUST_CHECK enum err_code value_copy(struct value_reader *reader, uint64_t offset, uint64_t size,
                                        void *out, struct err *err);
/* CRC-32C of the whole value from the checksums in its list, without reading chunk bytes; what a
 * recipe makes is made for it. */
ERR_MUST_CHECK enum err_code value_crc32c(struct value_reader *reader, uint32_t *out,
                                          struct err *err);
/* A piece of a value as it is kept. */
struct value_piece {
    uint64_t offset; /* of its first byte in the value */
    uint64_t size;
    uint64_t chunk;  /* id of the chunk it is; 0: it is none */
    uint32_t crc32c; /* of a chunk's bytes */
    bool is_gap;     /* made of a pattern or a recipe */
};
/* The piece that holds the byte at `offset` (< size). Looks at the list only. */
ERR_MUST_CHECK enum err_code value_piece_at(struct value_reader *reader, uint64_t offset,
                                            struct value_piece *out, struct err *err);
/* Whether the gaps of two values, if they have any, are made alike: the same bytes at the same
 * offset. Of values of chunks. */
bool value_gaps_equal(const struct value_reader *a, const struct value_reader *b);
/* Whether no change of a few bytes rewrites more than a rows chunk or a record. */
bool value_reader_in_rows(const struct value_reader *reader);
/* Whether it is a fill or a recipe from end to end, and has no chunk. Of a value of chunks. */
ERR_MUST_CHECK enum err_code value_reader_is_whole(struct value_reader *reader, bool *whole,
                                                   struct err *err);
/* Recomputes every checksum. ERR_DATA_LOSS names the chunk. */
ERR_MUST_CHECK enum err_code value_verify(struct value_reader *reader, struct err *err);

/* --- building a new value ------------------------------------------------------------------ */

/* Collects `size` bytes front to back. Small values stay in memory; big ones go to staged chunks as
 * they come, in bounded memory. Publish the finished value inside a unit with
 * value_builder_publish. */
struct value_builder;

/* `class`: where the chunks of a big value go. `stage`: borrowed; several builders may share one
 * (it allows 16 chunks in progress). NULL is fine when the value will not have chunks of its own:
 * at most VALUE_RECORD_BYTES_MAX bytes, or filled. ERR_PAYLOAD_TOO_LARGE over 2^48 bytes. The
 * chunks of a builder that is dropped unpublished stay in the stage: drop that too. */
ERR_MUST_CHECK enum err_code value_builder_open(struct store *store, struct store_stage *stage,
                                                uint64_t size, enum store_class class,
                                                struct value_builder **out, struct err *err);
/* A place for the next bytes: *out has room for *size (at least 1, at most a chunk). Fill it,
 * wholly or in part, then value_builder_commit. Lets producers write straight into the chunk.
 * ERR_INVALID_ARGUMENT when the value has all its bytes. */
ERR_MUST_CHECK enum err_code value_builder_reserve(struct value_builder *b, uint8_t **out,
                                                   size_t *size, struct err *err);
ERR_MUST_CHECK enum err_code value_builder_commit(struct value_builder *b, size_t size,
                                                  struct err *err);
ERR_MUST_CHECK enum err_code value_builder_append(struct value_builder *b, const void *bytes,
                                                  size_t size, struct err *err);
/* The whole value is this element repeated: costs one record. Instead of appending. pattern_size is
 * 1, 2, 4, 8 or 16 and divides the size, else ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code value_builder_fill(struct value_builder *b, const void *pattern,
                                                size_t pattern_size, struct err *err);
/* The whole value is what `recipe` makes (copied; 1 to VALUE_RECIPE_BYTES_MAX bytes): likewise one
 * record, unless the value is small. ERR_INVALID_ARGUMENT when the store has no maker. */
ERR_MUST_CHECK enum err_code value_builder_recipe(struct value_builder *b, struct bytes recipe,
                                                  struct err *err);
/* All bytes of a value that is open, of the size of this one; a fill or a recipe stays what it is
 * when nothing of it has been overwritten. Instead of appending. */
ERR_MUST_CHECK enum err_code value_builder_copy(struct value_builder *b, struct value_reader *from,
                                                struct err *err);
/* Already built bytes, to compute another value from. Until the stage is published or dropped. */
ERR_MUST_CHECK enum err_code value_builder_read(struct value_builder *b, uint64_t offset,
                                                uint64_t size, void *out, struct err *err);
/* Inside a unit (re-runnable): writes the records; *out holds the value's first reference. The
 * builder must have all its bytes. */
ERR_MUST_CHECK enum err_code value_builder_publish(struct value_builder *b, struct store_txn *txn,
                                                   struct value_ref *out, struct err *err);
void value_builder_drop(struct value_builder *b); /* NULL is fine */

/* --- inside a unit ------------------------------------------------------------------------- */

/* A whole small value at once (at most VALUE_WRITE_BYTES_MAX), its chunks made inside the unit.
 * *out holds its first reference. */
ERR_MUST_CHECK enum err_code value_write(struct store_txn *txn, struct bytes bytes,
                                         enum store_class class, struct value_ref *out,
                                         struct err *err);
/* One more record names this value: *ref may be copied once. */
ERR_MUST_CHECK enum err_code value_share(struct store_txn *txn, const struct value_ref *ref,
                                         struct err *err);
/* The record that held *ref no longer does: frees the value, or what nothing else of its family
 * has. */
ERR_MUST_CHECK enum err_code value_release(struct store_txn *txn, const struct value_ref *ref,
                                           struct err *err);

/* Change parts of a value: open, change, close. Close consumes the caller's reference in *ref and
 * gives a new one in its place (in place or forked). Only touched chunks are rewritten. One patch
 * of a value at a time, and no release of the caller's own reference meanwhile. */
struct value_patch;
struct value_staged;
/* ERR_FAILED_PRECONDITION for VALUE_NONE. */
ERR_MUST_CHECK enum err_code value_patch_open(struct store_txn *txn, const struct value_ref *ref,
                                              struct value_patch **out, struct err *err);
/* Writable bytes at `offset`: *out points at them, *size says how many are contiguous (at most
 * size_max). Old contents are there unless `whole` says all of them will be written. Stays writable
 * until close. After an error other than ERR_OUT_OF_RANGE the patch can only be dropped. */
ERR_MUST_CHECK enum err_code value_patch_bytes(struct value_patch *p, uint64_t offset,
                                               uint64_t size_max, bool whole, uint8_t **out,
                                               size_t *size, struct err *err);
/* These bytes in place of those at `offset`. */
ERR_MUST_CHECK enum err_code value_patch_write(struct value_patch *p, uint64_t offset,
                                               struct bytes bytes, struct err *err);
/* A chunk of a value that was staged ahead of the unit (value_stage) takes its place. ERR_CONFLICT
 * when it was staged for another value than this one has become. */
ERR_MUST_CHECK enum err_code value_patch_staged(struct value_patch *p,
                                                const struct value_staged *staged, struct err *err);
/* After an error the unit must fail. */
ERR_MUST_CHECK enum err_code value_patch_close(struct value_patch *p, struct value_ref *out,
                                               struct err *err);
void value_patch_drop(struct value_patch *p); /* NULL is fine; without close: nothing changed */

/* Changes of more chunks than a unit should write are staged ahead of it: a chunk of an opened
 * value to be filled anew, the whole of it. */
struct value_staged {
    uint64_t family;
    uint64_t offset; /* of its first byte in the value */
    uint32_t index;
    struct store_chunk chunk; /* fill chunk.length bytes at chunk.bytes, then store_chunk_seal */
};
/* The chunk that holds the byte at `offset`. Of a value of chunks. The stage must be published with
 * the patch that takes the chunk, or dropped. */
ERR_MUST_CHECK enum err_code value_stage(const struct value_reader *reader,
                                         struct store_stage *stage, uint64_t offset,
                                         struct value_staged *out, struct err *err);

/* --- all of them --------------------------------------------------------------------------- */

/* Calls `visit` for every chunk that some list names, once for each list. */
ERR_MUST_CHECK enum err_code value_visit_chunks(const struct store_view *view,
                                                void (*visit)(void *ctx, uint64_t chunk_id,
                                                              uint64_t family),
                                                void *ctx, struct err *err);

#endif
