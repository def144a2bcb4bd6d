/* The table of verbs. */
#include "service/run/verb.h"

#include "service/name.h"

static const struct verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "service/verbs/list.def"
#undef VERB
};

const struct verb *
verb_at(size_t index)
{
    return index < sizeof verbs / sizeof verbs[0] ? verbs[index] : NULL;
}

const struct verb *
verb_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (bytes_equal(name, bytes_of_text(verbs[i]->name)))
            return verbs[i];
    return NULL;
}

static const char *
name_at(const void *context, size_t index)
{
    (void)context;
    return verb_at(index) != NULL ? verb_at(index)->name : NULL;
}

const char *
verb_nearest(struct bytes name)
{
    return name_nearest(name, name_at, NULL);
}

enum { NAMES_MAX = 8 };

const char *const *
verb_field_names(enum verb_field field)
{
    static const struct {
        enum verb_field field;
        const char *names[NAMES_MAX]; /* ends with NULL */
    } known[] = {
        {VERB_VARIABLE, {"variable"}},
        {VERB_VALUE, {"value"}},
        {VERB_VALIDATE_SHAPE, {"validate_shape"}},
        {VERB_LIMIT, {"limit"}},
        {VERB_INDICES, {"indices"}},
        {VERB_UPDATES, {"updates"}},
        {VERB_INITIALIZE, {"variables", "collection", "prefix", "only_uninitialized"}},
        {VERB_SAVE,
         {"name", "global_step", "saver", "variables", "prefix", "overwrite", "allow_empty"}},
        {VERB_DECAY, {"decay"}},
        {VERB_ZERO_DEBIAS, {"zero_debias"}},
        {VERB_OPTIMIZER, {"optimizer"}},
        {VERB_GRADIENTS,
         {"gradients", "global_step", "clip_by_global_norm", "base_revision", "max_staleness",
          "accumulate"}},
        {VERB_VARIABLES, {"variables"}},
        {VERB_SLICE, {"slice"}},
        {VERB_AVERAGES, {"moving_averages", "variables", "tensors"}},
        {VERB_ACCUMULATOR, {"accumulator"}},
        {VERB_GRADIENT, {"gradient", "local_step"}},
        {VERB_NUM_REQUIRED, {"num_required"}},
        {VERB_STEP, {"step"}},
        {VERB_DEVICE, {"device"}},
    };
    static const char *const none[] = {NULL};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].field == field)
            return known[i].names;
    return none;
}

const char *
verb_field_name(enum verb_field field)
{
    const char *const *names = verb_field_names(field);

    /* Where a verb works with an optimizer or an accumulator, the path may say which. */
    return names[0] != NULL && names[1] == NULL && field != VERB_OPTIMIZER &&
                   field != VERB_VARIABLES && field != VERB_ACCUMULATOR
               ? names[0]
               : NULL;
}
