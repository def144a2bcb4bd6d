/* Private to service/: which variables of a model are kept for others of it, and go where those go:
 * slots and powers of its optimizers, shadows of its averages and what removes their bias. Told by
 * their names, as whoever keeps them finds them (optimizer_config.h, average.h). */
#ifndef SERVICE_PLACEMENT_MODEL_FOLLOW_H
#define SERVICE_PLACEMENT_MODEL_FOLLOW_H

#include "service/record/record.h"
#include "store/base/arena.h"

/* What the names of such variables are made of. Borrows from the arena. */
struct model_follow {
    struct follow_suffix *suffixes; /* what follows the other's name and a slash */
    size_t suffix_count, suffix_capacity;
    struct follow_power *powers; /* names of their own */
    size_t power_count, power_capacity;
    struct arena *arena;
};

ERR_MUST_CHECK enum err_code model_follow_open(struct model_follow *follow,
                                               const struct store_view *view, uint64_t model_id,
                                               struct arena *arena, struct err *err);
/* Whether a variable's name is that of a slot or shadow of one whose name is the first *size bytes
 * of it, if there is one. Begin with *size its length; what comes next are shorter ones. */
bool model_follow_primary(const struct model_follow *follow, const char *name, size_t *size);
/* Whether it is a power of an optimizer: *slot is what a variable's name and a slash go before, in
 * the name of a slot of that one. */
bool model_follow_power(const struct model_follow *follow, const char *name, const char **slot);

#endif
