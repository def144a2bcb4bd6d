/* Where the parts of a partitioned variable are, when they are not all where the variable is: one
 * canonical device for each part, in their order ("": none). Kept in a value of their own, which
 * the variable's record names. */
#ifndef SERVICE_PLACEMENT_PARTITION_DEVICES_H
#define SERVICE_PLACEMENT_PARTITION_DEVICES_H

#include "service/record/record.h"

/* count 0: all parts are on the variable's device. */
struct partition_devices {
    uint32_t count;
    const char **each; /* by part; owned, with the texts */
    struct buf texts;
    bool damaged; /* which they are is not known; count is 0 */
};

/* Those of a variable as its record in `view` has them. Owned: partition_devices_drop.
 * ERR_DATA_LOSS when they are damaged, or not as many as its parts. */
ERR_MUST_CHECK enum err_code partition_devices_read(const struct store_view *view,
                                                    const struct variable_record *variable,
                                                    struct partition_devices *out, struct err *err);
/* Likewise of the variable of that name, which an error tells. */
ERR_MUST_CHECK enum err_code partition_devices_of(const struct store_view *view, const char *name,
                                                  const struct variable_record *variable,
                                                  struct partition_devices *out, struct err *err);
/* Likewise for who tells or counts, which damage does not keep anybody from: out->damaged, and no
 * error. */
ERR_MUST_CHECK enum err_code partition_devices_look(const struct store_view *view,
                                                    const struct variable_record *variable,
                                                    struct partition_devices *out, struct err *err);
void partition_devices_drop(struct partition_devices *devices); /* a zeroed one is fine */
/* The device of part `index`: of damaged ones the variable's. Borrows from either. */
const char *partition_devices_at(const struct partition_devices *devices,
                                 const struct variable_record *variable, uint32_t index);
/* Inside a unit: *out is the first reference to them. One for each of the variable's parts, at most
 * RECORD_DEVICE_BYTES_MAX bytes each; when all are `device`, VALUE_NONE. */
ERR_MUST_CHECK enum err_code partition_devices_write(struct store_txn *txn, const char *const *each,
                                                     uint32_t count, const char *device,
                                                     struct value_ref *out, struct err *err);

#endif
