/* YAML that people wrote. What is read is printed as YAML that reads back the same. */
#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "agent/core/limits.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct documents documents, again;
    struct error err = {0};
    if (yaml_parse(&documents, span_of(data, bytes), BODY_BYTES_MAX, &err) < 0) {
        fuzz_require(err.code != ERROR_NONE && err.text[0], "an error has a code and a text");
        return 0;
    }
    for (size_t i = 0; i < documents.count; i++) {
        char *text = yaml_print(documents.items[i].object);
        fuzz_require(
            yaml_parse(&again, span_text(text), 16 * BODY_BYTES_MAX, &err) == 0 && again.count == 1,
            "what is printed can be read");
        char *printed = yaml_print(again.items[0].object);
        fuzz_require(strcmp(text, printed) == 0, "printing is a fixed point");
        documents_release(&again);
        free(printed);
        free(text);
    }
    documents_release(&documents);
    return 0;
}
