/* Changes as records. Those of one commit lie together in one record, or in several when they are
 * many; names are written without what they share with the one before. */
#ifndef SERVICE_RECORD_RECORD_CHANGE_H
#define SERVICE_RECORD_RECORD_CHANGE_H

#include "service/record/record.h"
#include "service/watch/change.h"
#include "store/base/buf.h"

enum {
    RECORD_CHANGE_PARTS_MAX = 64, /* records of one commit */
    RECORD_CHANGE_OP_BYTES_MAX = 64,
};

/* Where the log begins. */
struct change_log_record {
    uint64_t floor;   /* revision: everything after it is kept */
    uint64_t counted; /* revision: up to this one */
    uint64_t bytes;   /* of records are kept */
};

struct record_key record_key_changes(uint64_t revision, uint8_t part);
struct record_key record_key_change_log(void); /* and prefix of all changes */
uint64_t record_key_change_revision(struct bytes key);

ERR_MUST_CHECK enum err_code record_get_change_log(const struct store_view *view, bool *found,
                                                   struct change_log_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_change_log(struct store_txn *txn,
                                                   const struct change_log_record *record,
                                                   struct err *err);

/* Writes the changes of one unit. Owns its buffer: change_writer_drop. */
struct change_writer {
    struct store_txn *txn;
    uint64_t time_ms;
    struct bytes op; /* borrowed */
    struct buf out;
    unsigned part;
    uint64_t count, left_out; /* changes written; not written */
    size_t model_size, name_size;
    uint8_t model[NAME_MODEL_BYTES_MAX], name[NAME_BYTES_MAX];
};

void change_writer_init(struct change_writer *w, struct store_txn *txn, const char *op);
void change_writer_drop(struct change_writer *w);
/* Revision, time and op of the change are the writer's. */
ERR_MUST_CHECK enum err_code change_writer_add(struct change_writer *w, const struct change *change,
                                               struct err *err);
ERR_MUST_CHECK enum err_code change_writer_close(struct change_writer *w, struct err *err);

/* Calls visit for each change of one record. */
ERR_MUST_CHECK enum err_code record_each_change(struct bytes key, struct bytes record,
                                                change_visit *visit, void *context, bool *enough,
                                                struct err *err);

#endif
