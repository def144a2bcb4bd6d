/* What happened to models, variables and checkpoints, commit by commit: never the values.
 *
 * Every commit that changes one of them writes down its changes as a part of itself, so they are
 * there exactly when the commit is, also after a crash. The newest are kept: so many revisions
 * (changes_max), and about so many bytes (changes_max_bytes). */
#ifndef SERVICE_WATCH_CHANGE_H
#define SERVICE_WATCH_CHANGE_H

#include "service/service.h"

enum change_kind {
#define CHANGE(kind, event, subject) CHANGE_##kind,
#include "service/watch/change.def"
#undef CHANGE
    CHANGE_KIND_COUNT
};

/* What a change is about. */
enum change_subject { SUBJECT_VARIABLE, SUBJECT_RESTORE, SUBJECT_CHECKPOINT, SUBJECT_MODEL };

/* CHANGE_MANY: a commit changed more than it could write down; `count` are left out.
 * CHANGE_VARIABLE_CHANGED without a new version: something else about the variable changed. */
struct change {
    enum change_kind kind;
    uint64_t revision, time_ms;
    uint64_t version;   /* of a variable: after the commit, or the last one it had */
    uint64_t count;     /* tensors saved, variables restored, changes left out */
    struct bytes model; /* its name */
    struct bytes name;  /* of the variable or checkpoint; "" for a model */
    struct bytes op;    /* what the client asked for, as it said it: write_options.op */
};

/* "variable.created" …; static. */
const char *change_event(enum change_kind kind);
bool change_kind_of(struct bytes event, enum change_kind *out);
enum change_subject change_subject_of(enum change_kind kind);
static inline bool
change_is_of_variable(enum change_kind kind)
{
    return change_subject_of(kind) == SUBJECT_VARIABLE;
}

/* Borrows until it returns. *enough: the rest of this commit is still to come, and nothing after.
 */
typedef enum err_code change_visit(void *context, const struct change *change, bool *enough,
                                   struct err *err);

#define CHANGE_SINCE_OLDEST UINT64_MAX

struct change_range {
    uint64_t oldest; /* revision: everything after it is kept */
    uint64_t newest; /* of the store, as it was read */
    uint64_t read;   /* up to this one it was: where to go on */
};

/* What happened after revision `since`, oldest first. ERR_GONE when that is not kept any more, or
 * has not happened; *range says what is there then too. Any thread. */
ERR_MUST_CHECK enum err_code change_read(struct service *service, uint64_t since,
                                         change_visit *visit, void *context,
                                         struct change_range *range, struct err *err);

/* Called with service_on_wake's topic after each commit that has changes. */
#define SERVICE_TOPIC_CHANGES UINT64_C(2) /* no hash of names: those are odd */

#endif
