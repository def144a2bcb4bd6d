/* The table of verbs. */
#include "service/verb.h"

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
