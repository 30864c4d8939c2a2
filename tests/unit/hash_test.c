/* The frozen hash: its values for ever, and that it is good enough to place by.
 *
 * UPDATE=1 rewrites tests/golden/placement_hash.txt; a difference there moves containers in every
 * running cluster. Runs from the root of the repository. */
#include <stdio.h>
#include <string.h>

#include "placement/hash.h"
#include "unit.h"

static const char *const golden_path = "tests/golden/placement_hash.txt";

/* Every length from nothing to past four words, then real ids and names, then bytes above 127. */
static void golden_write(FILE *file)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (int length = 0; length <= 36; length++)
        fprintf(file, "%016llx \"%.*s\"\n",
                (unsigned long long)placement_hash(alphabet, (size_t)length), length, alphabet);
    static const char *const names[] = {"default/billing/0", "default/billing/1", "node-1",
                                        "node-2", "kube-worker-17.example.org"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fprintf(file, "%016llx \"%s\"\n",
                (unsigned long long)placement_hash(names[i], strlen(names[i])), names[i]);
    unsigned char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(255 - i);
    for (size_t length = 1; length <= sizeof bytes; length *= 2)
        fprintf(file, "%016llx bytes 255 down, %zu of them\n",
                (unsigned long long)placement_hash(bytes, length), length);
    static const uint64_t pairs[][2] = {{0, 0}, {0, 1}, {1, 0}, {UINT64_MAX, 7}, {7, UINT64_MAX}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        fprintf(file, "%016llx pair %llx %llx\n",
                (unsigned long long)placement_hash_pair(pairs[i][0], pairs[i][1]),
                (unsigned long long)pairs[i][0], (unsigned long long)pairs[i][1]);
}

static void values_are_frozen(void)
{
    char now[16384] = "", golden[16384] = "";
    FILE *memory = fmemopen(now, sizeof now, "w");
    golden_write(memory);
    fclose(memory);
    if (getenv("UPDATE")) {
        FILE *file = fopen(golden_path, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fputs(now, file);
        fclose(file);
    }
    FILE *file = fopen(golden_path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t bytes = fread(golden, 1, sizeof golden - 1, file);
    fclose(file);
    CU_ASSERT(bytes > 1000);
    CU_ASSERT_STRING_EQUAL(now, golden);
}

static void does_not_depend_on_alignment(void)
{
    static const char text[] = "default/alignment/12345678901234567890";
    char buffer[64];
    uint64_t expected = placement_hash(text, sizeof text);
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(buffer + shift, text, sizeof text);
        CU_ASSERT_EQUAL(placement_hash(buffer + shift, sizeof text), expected);
    }
}

static void zeros_of_each_length_differ(void)
{
    static const char zeros[300];
    uint64_t hashes[300];
    for (size_t i = 0; i < 300; i++) {
        hashes[i] = placement_hash(zeros, i);
        for (size_t j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(hashes[i], hashes[j]);
    }
    CU_ASSERT_EQUAL(placement_hash(NULL, 0), placement_hash(zeros, 0));
}

static void pair_is_not_commutative(void)
{
    for (uint64_t i = 0; i < 1000; i++)
        CU_ASSERT_NOT_EQUAL(placement_hash_pair(i, i + 1), placement_hash_pair(i + 1, i));
}

static double distance(double a, double b)
{
    return a < b ? b - a : a - b;
}

static double greater(double a, double b)
{
    return a < b ? b : a;
}

/* Greatest distance from 1/2 of the chance that output bit j flips when input bit i does. Keys
 * count up, as ours do. With n keys chance alone gives sqrt(ln(2 x 64 x bits) / 2n): 0.026 for
 * 8,192 of them. */
static double avalanche_bias(size_t bytes, uint64_t (*hash)(const unsigned char *, size_t))
{
    enum { KEYS = 4096 };
    double worst = 0;
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        int flips[64] = {0};
        for (uint64_t key = 0; key < KEYS; key++) {
            unsigned char data[32] = "default/web/";
            memcpy(data + bytes - 2, &(uint16_t){(uint16_t)key}, 2);
            uint64_t before = hash(data, bytes);
            data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            uint64_t changed = before ^ hash(data, bytes);
            for (int i = 0; i < 64; i++)
                flips[i] += (int)(changed >> i & 1);
        }
        for (int i = 0; i < 64; i++)
            worst = greater(worst, distance((double)flips[i] / KEYS, 0.5));
    }
    return worst;
}

static uint64_t hash_of_bytes(const unsigned char *data, size_t bytes)
{
    return placement_hash(data, bytes);
}

static uint64_t hash_of_pair(const unsigned char *data, size_t bytes)
{
    uint64_t words[2];
    memcpy(words, data, bytes < sizeof words ? bytes : sizeof words);
    return placement_hash_pair(words[0], words[1]);
}

static void every_bit_moves_half_of_the_bits(void)
{
    static const size_t lengths[] = {2, 8, 9, 16, 27};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        double bias = avalanche_bias(lengths[i], hash_of_bytes);
        CU_ASSERT(bias < 0.045);
    }
    CU_ASSERT(avalanche_bias(16, hash_of_pair) < 0.045);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Among 200,000 keys chance gives 1e-9 collisions of 64 bits and 4.7 of the upper 32. */
static void names_do_not_collide(void)
{
    enum { KEYS = 200000 };
    uint64_t *hashes = malloc(KEYS * sizeof *hashes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(hashes);
    for (int i = 0; i < KEYS; i++) {
        char name[48];
        int bytes =
            snprintf(name, sizeof name, "team-%d/web-%d/%d", i % 20, i / 20 % 100, i / 2000);
        hashes[i] = placement_hash(name, (size_t)bytes);
    }
    qsort(hashes, KEYS, sizeof *hashes, compare_hashes);
    int equal = 0, equal_upper = 0;
    for (int i = 1; i < KEYS; i++) {
        equal += hashes[i] == hashes[i - 1];
        equal_upper += hashes[i] >> 32 == hashes[i - 1] >> 32;
    }
    free(hashes);
    CU_ASSERT_EQUAL(equal, 0);
    CU_ASSERT(equal_upper < 20);
}

/* Chi squared over 256 cells by each byte of the hash: 255 +- 22.6 by chance; 5 deviations are
 * allowed. */
static void each_byte_is_spread_evenly(void)
{
    enum { KEYS = 65536 };
    for (int byte = 0; byte < 8; byte++) {
        double cells[256] = {0}, chi_squared = 0;
        for (int i = 0; i < KEYS; i++) {
            char name[32];
            int bytes = snprintf(name, sizeof name, "default/web/%d", i);
            cells[placement_hash(name, (size_t)bytes) >> (8 * byte) & 255]++;
        }
        for (int i = 0; i < 256; i++)
            chi_squared += (cells[i] - KEYS / 256.0) * (cells[i] - KEYS / 256.0) / (KEYS / 256.0);
        CU_ASSERT(chi_squared > 255 - 5 * 22.6 && chi_squared < 255 + 5 * 22.6);
    }
}

UNIT_MAIN("hash", {"values are frozen", values_are_frozen},
          {"does not depend on alignment", does_not_depend_on_alignment},
          {"zeros of each length differ", zeros_of_each_length_differ},
          {"a pair is not commutative", pair_is_not_commutative},
          {"every bit moves half of the bits", every_bit_moves_half_of_the_bits},
          {"names do not collide", names_do_not_collide},
          {"each byte is spread evenly", each_byte_is_spread_evenly})
