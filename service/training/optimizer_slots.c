/* Slots and powers: variables of the model that an optimizer keeps its state in. */
#include "service/training/optimizer_parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/expr/compute.h"

/* A variable to be found, or made with every element the same. */
struct wanted {
    char name[NAME_BYTES_MAX + 1];
    struct tensor_type type;
    double initial;
    const struct draft_variable *like, *beside; /* as a draft_fill's */
    struct draft_variable *found;
};

static enum err_code
check_found(const struct optimizer_config *config, const struct wanted *wanted, bool initialize,
            struct err *err)
{
    const struct draft_variable *found = wanted->found;
    char ours[TENSOR_TYPE_TEXT_BYTES_MAX], theirs[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (found->value == NULL && initialize)
        return compute_uninitialized(wanted->name, err);
    if (found->form.shape_known && tensor_type_equal(&found->form.type, &wanted->type))
        return OK;
    (void)err_set(err, ERR_INVALID_ARGUMENT, "optimizer '%s' keeps %s in '%s', which is %s",
                  config->name, tensor_type_text(&wanted->type, ours), wanted->name,
                  tensor_type_text(&found->form.type, theirs));
    err_about(err, "variable", wanted->name);
    return ERR_INVALID_ARGUMENT;
}

/* All are there, or none: state of which a part was lost is not begun anew beside the rest. */
static enum err_code
find_or_make(struct draft *draft, const struct optimizer_config *config, struct wanted *wanted,
             uint32_t count, bool initialize, struct err *err)
{
    const struct wanted *there = NULL, *missing = NULL;

    for (uint32_t i = 0; i < count; i++) {
        TRY(draft_look(draft, wanted[i].name, &wanted[i].found, err));
        if (wanted[i].found == NULL)
            missing = &wanted[i];
        else
            there = &wanted[i];
    }
    if (there != NULL && missing != NULL) {
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "optimizer '%s' finds '%s', but not '%s': restore it, or delete the other "
                      "to begin anew",
                      config->name, there->name, missing->name);
        err_about(err, "variable", missing->name);
        return ERR_FAILED_PRECONDITION;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct draft_fill fill = {.name = wanted[i].name,
                                        .type = wanted[i].type,
                                        .element = wanted[i].initial,
                                        .like = wanted[i].like,
                                        .beside = wanted[i].beside,
                                        .initialize = initialize,
                                        .is_state = true};

        if (missing != NULL)
            TRY(draft_make_filled(draft, &fill, &wanted[i].found, err));
        else
            TRY(check_found(config, &wanted[i], initialize, err));
        wanted[i].found->is_state = true;
        if (initialize)
            TRY(draft_check_device(draft, wanted[i].found, err));
    }
    return OK;
}

enum err_code
optimizer_find_slots(struct draft *draft, const struct optimizer_config *config,
                     const struct draft_variable *variable, bool initialize,
                     struct draft_variable *slots[OPTIMIZER_SLOTS_MAX], struct err *err)
{
    const struct optimizer *optimizer = config->optimizer;
    struct wanted wanted[OPTIMIZER_SLOTS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < optimizer_slot_count(optimizer); i++) {
        if (!optimizer_slot_wanted(optimizer, i, config->params))
            continue;
        wanted[count] = (struct wanted){
            .type = variable->form.type,
            .initial = optimizer_slot_initial(optimizer, i, config->params),
            .like = variable,
        };
        TRY(optimizer_config_slot_name(config, variable->name, i, wanted[count++].name, err));
    }
    TRY(find_or_make(draft, config, wanted, count, initialize, err));
    count = 0;
    for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
        slots[i] = i < optimizer_slot_count(optimizer) &&
                           optimizer_slot_wanted(optimizer, i, config->params)
                       ? wanted[count++].found
                       : NULL;
    return OK;
}

static bool
has_gradient(const struct optimizer_gradient *gradient)
{
    return gradient->dense != NULL || gradient->indices != NULL;
}

/* Beside which powers are: r1.0's is the first of the list, 1.15's the first by name. One without a
 * gradient does not count, unless slots are made and none has. */
static enum err_code
find_first(struct draft *draft, const struct optimizer_gradients *spec, struct draft_variable **out,
           struct err *err)
{
    const struct model_devices *devices = &draft->model.devices;
    bool by_name = devices->has_placement && devices->placement.version == DEVICE_SETTER_1_15;
    const char *first = NULL;
    bool gradients = false;

    for (size_t i = 0; i < spec->count && !gradients; i++)
        gradients = has_gradient(&spec->gradients[i]);
    for (size_t i = 0; i < spec->count; i++) {
        const struct optimizer_gradient *each = &spec->gradients[i];

        if (gradients && !has_gradient(each))
            continue;
        if (first == NULL || (by_name && strcmp(each->variable, first) < 0))
            first = each->variable;
    }
    *out = NULL;
    return first == NULL ? OK : draft_look(draft, first, out, err);
}

enum err_code
optimizer_find_powers(struct draft *draft, const struct optimizer_config *config,
                      const struct optimizer_gradients *spec, bool initialize,
                      struct draft_variable *powers[OPTIMIZER_POWERS_MAX], struct err *err)
{
    const struct optimizer *optimizer = config->optimizer;
    struct wanted wanted[OPTIMIZER_POWERS_MAX];
    uint32_t count = optimizer_power_count(optimizer);
    struct draft_variable *first = NULL;

    if (count > 0)
        TRY(find_first(draft, spec, &first, err));
    for (uint32_t i = 0; i < count; i++) {
        wanted[i] = (struct wanted){
            .type = {.dtype = optimizer_power_dtype(optimizer)},
            .initial = optimizer_power_initial(optimizer, i, config->params),
            .beside = first,
        };
        optimizer_config_power_name(config, i, wanted[i].name);
    }
    TRY(find_or_make(draft, config, wanted, count, initialize, err));
    for (uint32_t i = 0; i < OPTIMIZER_POWERS_MAX; i++)
        powers[i] = i < count ? wanted[i].found : NULL;
    return OK;
}
