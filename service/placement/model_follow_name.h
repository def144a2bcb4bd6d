/* Private to service/: TensorFlow's own names of what is kept for variables, as they are where
 * nobody named the optimizer or the average. The second of a name ends in _1, and so on. */
#ifndef SERVICE_PLACEMENT_FOLLOW_NAME_H
#define SERVICE_PLACEMENT_FOLLOW_NAME_H

#include "service/training/optimizer.h"

/* Of what follows a variable's name and a slash: "Adam", "Adam_1". The optimizer whose slots are
 * called so; NULL: none. */
const struct optimizer *model_follow_name_slot(struct bytes text);
/* "ExponentialMovingAverage" */
bool model_follow_name_shadow(struct bytes text);
/* Of a whole name: "beta1_power". */
bool model_follow_name_power(const struct optimizer *optimizer, const char *name);

#endif
