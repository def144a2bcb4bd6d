/* Private to service/: the lists of last checkpoints that savers keep, and which of them stay.
 *
 * A list names checkpoints, oldest first, as TensorFlow's does: each under the saver it was saved
 * through, but lists that were set by hand may name one twice, and what one saver has removed stays
 * named in another's until it is pushed out there. Whatever removes or replaces a checkpoint takes
 * it out of the list of its own saver. All of it happens inside units, at a time that is given. */
#ifndef SERVICE_SAVING_SAVER_KEEP_H
#define SERVICE_SAVING_SAVER_KEEP_H

#include "service/saving/saver.h"
#include "service/state.h"

/* What was pushed out of a list. */
struct saver_dropped {
    char name[NAME_BYTES_MAX + 1]; /* "": nothing, or nothing that was still there */
    bool removed;                  /* false: it stays */
};

/* So many hours after a time, or the end of times. */
uint64_t saver_keep_later(uint64_t time_ms, double hours);
/* A checkpoint was saved through the saver: it is at the end of the list now, and the oldest is out
 * of it when there are too many: at most one. *saver is the record, which is written. */
ERR_MUST_CHECK enum err_code saver_keep_saved(struct store_txn *txn, uint64_t model_id,
                                              const char *name, struct saver_record *saver,
                                              const char *checkpoint, uint64_t checkpoint_id,
                                              uint64_t now_ms, struct saver_dropped *out,
                                              struct err *err);
/* The checkpoint goes, or another takes its name: it is in its saver's list no more. */
ERR_MUST_CHECK enum err_code saver_keep_forget(struct store_txn *txn, uint64_t model_id,
                                               const char *checkpoint,
                                               const struct checkpoint_record *record,
                                               struct err *err);
/* Pushes out whatever is over max_to_keep; all of it when that is 0, and then nothing is removed.
 * `removed`: gets the names of what was, u32 length + bytes each. *saver is the caller's to write,
 * before and after. */
ERR_MUST_CHECK enum err_code saver_keep_trim(struct store_txn *txn, uint64_t model_id,
                                             const char *name, struct saver_record *saver,
                                             struct buf *removed, struct err *err);
/* The list is to be this. What belongs to no saver belongs to this one then. Likewise. */
ERR_MUST_CHECK enum err_code saver_keep_set(struct store_txn *txn, uint64_t model_id,
                                            const char *name, struct saver_record *saver,
                                            const struct saver_spec *spec, struct err *err);

/* Each checkpoint of the list, oldest first; `last` lives for the call. */
typedef enum err_code saver_last_visit(void *context, const struct last_record *last,
                                       struct err *err);
ERR_MUST_CHECK enum err_code saver_each_last(const struct store_view *view, uint64_t saver_id,
                                             saver_last_visit *visit, void *context,
                                             struct err *err);
/* The newest that still exists: of its list, else of all that were saved through it. "" when there
 * is none. */
ERR_MUST_CHECK enum err_code saver_latest(const struct store_view *view, uint64_t model_id,
                                          const struct saver_record *saver,
                                          char out[static NAME_BYTES_MAX + 1], struct err *err);

#endif
