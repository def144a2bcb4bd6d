/* The table of formats. */
#include "api/wire/format.h"

#include "api/json/chars.h"

static const struct api_wire_format *const formats[] = {
#define FORMAT(name) &api_wire_##name,
#include "api/wire/list.def"
#undef FORMAT
};

const struct api_wire_format *
api_wire_format_at(size_t index)
{
    return index < sizeof formats / sizeof formats[0] ? formats[index] : NULL;
}

const struct api_wire_format *
api_wire_format_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (bytes_equal(name, bytes_of_text(formats[i]->name)))
            return formats[i];
    return NULL;
}

const struct api_wire_format *
api_wire_format_of_type(struct bytes media_type)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (api_chars_equal(media_type, formats[i]->media_type))
            return formats[i];
    return NULL;
}

void
api_wire_reader_drop(struct api_wire_reader *reader)
{
    if (reader->drop != NULL && reader->state != NULL)
        reader->drop(reader->state);
    *reader = (struct api_wire_reader){0};
}
