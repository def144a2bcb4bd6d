/* Private to service/: tensors that arrive from a stream, kept until the unit that publishes them.
 */
#ifndef SERVICE_VARIABLE_INCOMING_H
#define SERVICE_VARIABLE_INCOMING_H

#include "service/state.h"
#include "service/variable/variable_write.h"

/* One value read from a stream: in memory when small, else staged. */
struct incoming {
    uint8_t *bytes;                /* owned; NULL: the builder has it */
    struct value_builder *builder; /* owned */
    uint64_t size;
    enum store_class class; /* where the chunks of a big one go; set before it is read */
};

struct incoming_list {
    struct service *service;
    struct store_stage *stage; /* opened when first needed; owned until taken */
    struct incoming *items;
    size_t count;
    bool in_memory; /* all of it is small enough to be written inside the commit */
};

/* The type can be, and `size` bytes are what it takes. `name` is for the message. */
ERR_MUST_CHECK enum err_code incoming_check_size(const char *name, const struct tensor_type *type,
                                                 uint64_t size, struct err *err);
/* Room for `count` values. Then say each item's class, and incoming_list_expect. */
ERR_MUST_CHECK enum err_code incoming_list_init(struct incoming_list *list, struct service *service,
                                                size_t count, struct err *err);
/* All of them have total_bytes: ERR_FULL when there is no room. */
ERR_MUST_CHECK enum err_code incoming_list_expect(struct incoming_list *list, uint64_t total_bytes,
                                                  struct err *err);
/* The stage may have been taken by then: set list->stage NULL after a successful service_commit. */
void incoming_list_drop(struct incoming_list *list);
/* Reads the next value. bool bytes must be 0 or 1, string elements must add up. `name` is for
 * messages. */
ERR_MUST_CHECK enum err_code incoming_list_read(struct incoming_list *list, const char *name,
                                                const struct tensor_type *type, uint64_t size,
                                                const struct tensor_source *source,
                                                struct err *err);
/* Inside a unit: item i's value, with its first reference. */
ERR_MUST_CHECK enum err_code incoming_list_publish(struct incoming_list *list, size_t i,
                                                   struct store_txn *txn, struct value_ref *out,
                                                   struct err *err);
/* bool bytes are 0 or 1. */
ERR_MUST_CHECK enum err_code incoming_check_bytes(const char *name, enum dtype dtype,
                                                  struct bytes bytes, uint64_t offset,
                                                  struct err *err);

#endif
