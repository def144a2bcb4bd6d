/* Private to service/: which variables of a model are kept for others of it, and go where those go:
 * slots and powers of optimizers, shadows of averages and what removes their bias. In TensorFlow
 * they are colocated with the others, and draw no task. The variable that another is kept for is
 * its primary, as TensorFlow calls it; a primary may be kept for one itself.
 *
 * Told by their names, as whoever keeps them finds them (optimizer_config.h, average.h): what the
 * model's optimizers and averages call theirs is theirs, whatever it looks like.
 *
 * A variable may be there before what keeps it: a restore brought it, or its optimizer was deleted.
 * Then the name alone speaks, of TensorFlow's and of the model that it came from:
 *   <variable>/<Optimizer>, <variable>/<Optimizer>_<n>     a slot, <Optimizer> as the optimizer is
 *                                                          called where nobody gave it a name
 *   <variable>/ExponentialMovingAverage, …_<n>             a shadow
 *   <shadow>/biased, <shadow>/local_step                   what removes its bias
 *   beta1_power, beta1_power_<n>, …                        a power
 * and is believed where the rest agrees (model_follow_fits): the variable is there, the dtype and
 * shape are its own, a local step or power is a scalar, and it is not trained, which no slot is. It
 * decides about devices alone, so that a mistaken one costs a place, not a value. */
#ifndef SERVICE_PLACEMENT_MODEL_FOLLOW_H
#define SERVICE_PLACEMENT_MODEL_FOLLOW_H

#include "service/record/record.h"
#include "service/training/optimizer.h"
#include "store/base/arena.h"

/* Of the variables that an optimizer has slots of, the first: its powers are beside that one. The
 * list of the step that made them is meant: of r1.0 its first, whose slots were made first; of 1.15
 * its first by name, of those that got slots in that commit. Where slots came with their values
 * nobody knows of a list, and it is the first of all that are there, as they were made, or by name.
 */
struct follow_first {
    const char *name; /* borrows from the arena; NULL: there is none */
    uint64_t position;
    void *variable; /* the caller's */
};

/* How a slot or shadow is called after its primary's name and a slash. */
struct follow_suffix {
    const char *text;
    bool is_average; /* then "biased" and "local_step" of it follow it */
    bool sure;       /* of what the model has itself */
};

/* A power of one of the model's optimizers, which is found by its first slots' suffix. */
struct follow_power {
    const char *name, *slot;
    bool sure;
};

/* An optimizer with powers, by that suffix. */
struct follow_owner {
    const char *slot;
    struct follow_first first;
};

/* What the names of such variables are made of. Borrows from the arena. */
struct model_follow {
    struct follow_suffix *suffixes;
    size_t suffix_count, suffix_capacity;
    struct follow_power *powers;
    size_t power_count, power_capacity;
    struct follow_owner *owners;
    size_t owner_count, owner_capacity;
    struct follow_first by_kind[OPTIMIZER_COUNT]; /* of those of which only names tell */
    bool first_by_name; /* r1.0's first is the one that was made first, 1.15's the first by name */
    struct arena *arena;
};

ERR_MUST_CHECK enum err_code model_follow_open(struct model_follow *follow,
                                               const struct store_view *view,
                                               const struct model_record *model,
                                               struct arena *arena, struct err *err);
/* Names of another model's, too, that variables come from; opened before. */
ERR_MUST_CHECK enum err_code model_follow_add(struct model_follow *follow,
                                              const struct store_view *view, uint64_t model_id,
                                              struct err *err);

/* Whether a variable's name is that of a slot or shadow of one whose name is the first *size bytes
 * of it, if there is one. Begin with *size its length; what comes next are shorter ones. *sure:
 * what the model has says so; else it is one where it fits. */
bool model_follow_primary(const struct model_follow *follow, const char *name, size_t *size,
                          bool *sure);
/* `size`: of the primary's name, which is of this type. */
bool model_follow_fits(const char *name, size_t size, const struct tensor_type *type, bool trained,
                       const struct tensor_type *primary);
/* Likewise, of two that are there. */
ERR_MUST_CHECK enum err_code model_follow_check(const struct store_view *view, uint64_t model_id,
                                                const char *name, size_t size, bool *fits,
                                                struct err *err);

/* --- powers: model_follow_power.c ---------------------------------------------------------- */

/* How a slot was made: by a step, with an initial value, or with its value. */
struct follow_made {
    bool by_step;
    uint64_t position, revision;
};
struct follow_made model_follow_made(const struct variable_record *slot);
/* Where a slot comes among others; `primary`: the position of what it is kept for. */
uint64_t model_follow_position(const struct model_follow *follow, const struct follow_made *slot,
                               uint64_t primary);
/* Each slot there is, in any order. `name` is the slot's, `size` of the variable's in
 * it; the slot's position, and what the caller knows the variable by. */
ERR_MUST_CHECK enum err_code model_follow_note(struct model_follow *follow, const char *name,
                                               size_t size, uint64_t position, void *variable,
                                               struct err *err);
/* All slots that the model has; nobody knows their variables by anything. */
ERR_MUST_CHECK enum err_code model_follow_note_all(struct model_follow *follow,
                                                   const struct store_view *view, uint64_t model_id,
                                                   struct err *err);
/* Whether it may be a power, before it is looked at. */
bool model_follow_may_be_power(const struct model_follow *follow, const char *name);
/* Whether it is a power of an optimizer; *out is what it is beside, of those noted: in it no name
 * when there is none. */
bool model_follow_power(const struct model_follow *follow, const char *name,
                        const struct tensor_type *type, bool trained, struct follow_first *out);

#endif
