/* A verb: what one operation of a run does. One const struct in a file of service/verbs/, one line
 * in service/verbs/list.def. */
#ifndef SERVICE_RUN_VERB_H
#define SERVICE_RUN_VERB_H

#include "service/run/run.h"

/* What an operation states; from these its JSON is decoded and refused. */
enum verb_field {
    VERB_VARIABLE = 1,            /* which variable; every verb of one */
    VERB_VALUE = 1 << 1,          /* an expression */
    VERB_VALIDATE_SHAPE = 1 << 2, /* default true */
    VERB_LIMIT = 1 << 3,          /* an integer */
    VERB_INDICES = 1 << 4,        /* an expression of integers */
    VERB_UPDATES = 1 << 5,        /* an expression: run_op.value */
    VERB_INITIALIZE = 1 << 6,     /* variables | collection, prefix; only_uninitialized */
    VERB_SAVE = 1 << 7,           /* name, global_step, saver | variables | prefix, overwrite */
    VERB_DECAY = 1 << 8,          /* an expression of a scalar: run_op.decay */
    VERB_ZERO_DEBIAS = 1 << 9,    /* default true */
    VERB_OPTIMIZER = 1 << 10,     /* which one: run_op.gradients */
    VERB_GRADIENTS = 1 << 11,     /* likewise, with gradients, global_step … */
    VERB_VARIABLES = 1 << 12,     /* likewise, with variables and no gradients */
    VERB_SLICE = 1 << 13,         /* of the variable, as on the wire; none: all of it */
    VERB_AVERAGES = 1 << 14,      /* moving_averages, variables, tensors: run_op.averages */
    VERB_ACCUMULATOR = 1 << 15,   /* which one: run_op.accumulator */
    VERB_GRADIENT = 1 << 16,      /* likewise, with a gradient and a local step */
    VERB_NUM_REQUIRED = 1 << 17,  /* likewise, with an integer */
    VERB_STEP = 1 << 18,          /* likewise, with an integer */
    VERB_DEVICE = 1 << 19,        /* where it is asked to run; every verb that changes something */
};
enum { VERB_FIELD_COUNT = 20 };

struct verb {
    const char *name;
    const char *summary; /* one sentence for the catalogue */
    unsigned fields;     /* verb_field */
    uint32_t kernel;     /* which of its file's verbs: enum kernel_binary … */
    /* Changes the draft. Says in *out what it did. ERR_DEFER inside a commit when it is too much
     * for one: the run is then made ahead of it. May run more than once for one request. */
    ERR_MUST_CHECK enum err_code (*apply)(struct run *run, const struct run_op *op,
                                          struct run_result *out, struct err *err);
};

#define VERB(name) extern const struct verb verb_##name;
#include "service/verbs/list.def"
#undef VERB

/* NULL when there is none. */
const struct verb *verb_find(struct bytes name);
const struct verb *verb_at(size_t index); /* NULL past the end */
/* The known name nearest to `name`, for messages; NULL when none is near. Static. */
const char *verb_nearest(struct bytes name);
/* What a field is called in a request: NULL at the end. */
const char *const *verb_field_names(enum verb_field field);
/* Of one that has a single name; NULL: it has several. */
const char *verb_field_name(enum verb_field field);

#endif
