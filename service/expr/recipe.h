/* Virtual values: an initial value that reads no variable, with the seeds it was drawn with, is all
 * there is to know of its elements. The store keeps these few bytes instead of them, and has any
 * range made when it is read. */
#ifndef SERVICE_EXPR_RECIPE_H
#define SERVICE_EXPR_RECIPE_H

#include "service/expr/expr.h"
#include "store/value.h"

/* Whether an inferred tree can be a recipe: ERR_INVALID_ARGUMENT says why not (it reads a variable,
 * needs more than elements one by one, is string, takes over VALUE_RECIPE_BYTES_MAX). */
ERR_MUST_CHECK enum err_code recipe_check(const struct expr_tree *tree, struct err *err);
/* Of a tree that passed recipe_check and has its seeds (expr_draw). */
ERR_MUST_CHECK enum err_code recipe_encode(const struct expr_tree *tree, struct buf *out,
                                           struct err *err);
/* The store's maker (store_config.recipe_make). */
store_recipe_make recipe_make;

#endif
