/* What a value takes of the store, and with whom it shares that: looked at beside what counts it.
 */
#ifndef TESTS_SUPPORT_STORED_H
#define TESTS_SUPPORT_STORED_H

#include "store/value.h"

struct stored_usage {
    uint64_t unique_bytes; /* stored bytes no other value has: freed with the last reference */
    uint64_t shared_bytes; /* chunk bytes other lists of the family have too */
    uint32_t references;   /* records that name the value */
};
ERR_MUST_CHECK enum err_code stored_usage(const struct store_view *view,
                                          const struct value_ref *ref, struct stored_usage *out,
                                          struct err *err);

/* Calls `visit` with the id and stored bytes of each piece that holds the value: its chunks (a
 * fill's pattern has none), or its record. Inline values have no piece. */
ERR_MUST_CHECK enum err_code
stored_each_piece(const struct store_view *view, const struct value_ref *ref,
                  enum err_code (*visit)(void *ctx, uint64_t id, uint64_t size, struct err *err),
                  void *ctx, struct err *err);

#endif
