/* Is everything that is stored consistent? Recomputes what reading takes for granted, in one
 * snapshot: references equal what records name, lists are complete and fit their heads, every chunk
 * named is there and at its place, no chunk is there that nothing names, families are complete.
 *
 * Which records own values only the layers above know: they say so with an owner for each key
 * prefix. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include <stdarg.h>

#include "store/store.h"
#include "store/value.h"

enum {
    STORE_VERIFY_TEXTS_MAX = 32,
    STORE_VERIFY_TEXT_BYTES_MAX = 256,
};

/* Decodes one record and calls `found` with each reference in it. ERR_DATA_LOSS (the record is
 * damaged) becomes a finding; any other error ends the check. */
typedef enum err_code store_verify_visit(struct bytes key, struct bytes record,
                                         void (*found)(void *ctx, const struct value_ref *ref),
                                         void *ctx, struct err *err);

struct store_verify_owner {
    struct bytes prefix; /* of the keys of its records */
    store_verify_visit *visit;
};

struct store_verify_report {
    uint64_t values;      /* with a head of their own: not inline */
    uint64_t references;  /* to these */
    uint64_t chunks;      /* named, each once */
    uint64_t chunk_bytes; /* of their payload */
    uint64_t findings;    /* 0: everything is well */
    uint32_t text_count;  /* of the first findings, for people */
    char texts[STORE_VERIFY_TEXTS_MAX][STORE_VERIFY_TEXT_BYTES_MAX];
};

/* One more finding, told if there is room for it. */
void store_verify_add(struct store_verify_report *report, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* `payloads`: reads all bytes and recomputes their checksums, too. OK when the check came to its
 * end, whatever it found. May run beside writers. */
ERR_MUST_CHECK enum err_code store_verify(struct store *store,
                                          const struct store_verify_owner *owners,
                                          size_t owner_count, bool payloads,
                                          struct store_verify_report *out, struct err *err);

#endif
