/* Asking where a variable would be, were it made now and run: nothing changes by asking. */
#ifndef SERVICE_PLACEMENT_DEVICE_QUESTION_H
#define SERVICE_PLACEMENT_DEVICE_QUESTION_H

#include "service/device/placer.h"
#include "service/service.h"

struct device_question {
    const char *name; /* of the variable, for messages */
    const char *op;   /* its op; NULL: VariableV2 */
    const struct device_scope *scopes; /* outer to inner */
    size_t scope_count;
    const char *const *colocated; /* devices of what has to be on the same one */
    size_t colocated_count;
    enum dtype dtype;
    const char *model;     /* whose device and placement are around it; NULL: of none */
    bool soft_given, soft; /* allow_soft_placement; not given: the model's */
    bool assign;           /* else the specification alone is worked out */
    const struct device_set *available; /* NULL: those that there are; else ordered */
};

/* A variable v of float32, of which nothing is said. */
struct device_question device_question_default(void);

struct device_answer {
    char device[DEVICE_TEXT_BYTES_MAX + 1];   /* canonical */
    char assigned[DEVICE_TEXT_BYTES_MAX + 1]; /* a device's name; "" unless asked for */
};

/* As device_scopes_merge and device_place. In a model it is as if made next, and nothing is drawn;
 * ERR_NOT_FOUND when there is none. */
ERR_MUST_CHECK enum err_code device_question_answer(struct service *service,
                                                    const struct device_question *question,
                                                    struct device_answer *out, struct err *err);

#endif
