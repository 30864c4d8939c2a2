#include "agent/codec/decimal.h"

char *decimal_print(uint64_t value, char *text)
{
    unsigned digits = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        digits++;
    return decimal_print_padded(value, digits, text);
}

char *decimal_print_padded(uint64_t value, unsigned digits, char *text)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        text[i] = (char)('0' + value % 10);
    text[digits] = '\0';
    return text + digits;
}

char *hex_print_padded(uint64_t value, unsigned digits, char *text)
{
    static const char letters[] = "0123456789abcdef";
    for (unsigned i = digits; i-- > 0; value >>= 4)
        text[i] = letters[value & 15];
    text[digits] = '\0';
    return text + digits;
}
