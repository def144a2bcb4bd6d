/* Covers api/json/: any body, through every typed reading, as a tensor of any
 * dtype, and that tensor printed and read again. The first byte picks the dtype. Oracle: what
 * jansson accepts must be accepted (unless nested too deep or with a NUL, which jansson skips after
 * numbers); printing what was read back from print gives the same text. */
#include "api/json/jsonio.h"

#include <stdio.h>

#include "store/base/check.h"
#include "store/base/scope.h"

enum { ARENA_BYTES = 1 << 20, TENSOR_BYTES = 1 << 20, TEXT_BYTES = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_every_way(const struct api_value *value)
{
    AUTO(arena) arena = {0};
    struct api_value *values = NULL;
    const char *text, **texts, **names;
    char where[API_WHERE_BYTES_MAX];
    struct shape shape;
    enum dtype dtype;
    struct api_object object;
    int64_t i64;
    double f64;
    size_t count = 0;
    int accepted = 0;
    bool flag = false;

    arena_init(&arena, ARENA_BYTES);
    accepted += api_value_text(value, &arena, &text, NULL) == OK;
    accepted += api_value_bool(value, &flag, NULL) == OK;
    accepted += api_value_i64(value, &i64, NULL) == OK;
    accepted += api_value_shape(value, &shape, NULL) == OK;
    CHECK(accepted <= 1);
    accepted += api_value_f64(value, &f64, NULL) == OK;
    accepted += api_value_dtype(value, &dtype, NULL) == OK;
    accepted += api_value_texts(value, &arena, &texts, &count, NULL) == OK;
    CHECK(accepted <= 3);
    CHECK(strlen(api_value_where(value, where)) < API_WHERE_BYTES_MAX);
    if (api_value_elements(value, &arena, &values, &count, NULL) == OK)
        for (size_t i = 0; i < count; i++)
            CHECK(api_value_kind(&values[i]) <= API_OBJECT);
    if (api_value_fields(value, &arena, &names, &values, &count, NULL) == OK)
        for (size_t i = 0; i < count; i++)
            CHECK(strlen(names[i]) < TEXT_BYTES && api_value_kind(&values[i]) <= API_OBJECT);
    if (api_object_of(value, &object, NULL) == OK) {
        struct err err = ERR_INIT;

        struct api_value field;

        if (api_object_has(&object, "shape", &field))
            CHECK(api_value_kind(&field) <= API_OBJECT);
        CHECK(api_object_end(&object, &err) == err.code);
    }
}

static void
print_and_read_again(const struct tensor *tensor, enum dtype dtype)
{
    const struct api_json_limits limits = {TEXT_BYTES, TEXT_BYTES};
    const struct api_tensor_hint hint = {dtype, &tensor->type.shape, TENSOR_BYTES};
    struct tensor_view view = tensor_view_of(tensor);
    struct api_json *doc = NULL;
    struct api_value root;
    AUTO(tensor) again = {0};
    AUTO(buf) first = {0};
    AUTO(buf) second = {0};

    buf_init(&first, TEXT_BYTES);
    buf_init(&second, TEXT_BYTES);
    if (api_tensor_text(&view, &first, NULL) != OK)
        return;
    CHECK(api_json_parse(buf_bytes(&first), &limits, &doc, NULL) == OK);
    root = api_json_root(doc);
    CHECK(api_value_tensor(&root, &hint, &again, NULL, NULL) == OK);
    view = tensor_view_of(&again);
    CHECK(api_tensor_text(&view, &second, NULL) == OK);
    CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    api_json_drop(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct api_json_limits limits = {TEXT_BYTES, 1 << 20};
    struct api_json *doc = NULL;
    struct err err = ERR_INIT;
    struct bytes text;
    enum dtype dtype;

    if (size == 0)
        return 0;
    dtype = (enum dtype)(data[0] % (DTYPE_COUNT + 1));
    text = bytes_of(data + 1, size - 1);
    if (api_json_parse(text, &limits, &doc, &err) == OK) {
        const struct api_tensor_hint hint = {dtype, NULL, TENSOR_BYTES};
        struct api_value root = api_json_root(doc);
        AUTO(tensor) tensor = {0};

        read_every_way(&root);
        if (api_value_tensor(&root, &hint, &tensor, NULL, NULL) == OK)
            print_and_read_again(&tensor, tensor.type.dtype);
        api_json_drop(doc);
        return 0;
    }
    CHECK(err.code != OK && err.text[0] != '\0');
    if (memchr(text.data, 0, text.size) == NULL && strstr(err.text, "nested deeper") == NULL) {
        json_t *json = json_loadb((const char *)text.data, text.size,
                                  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

        CHECK(json == NULL);
    }
    return 0;
}
