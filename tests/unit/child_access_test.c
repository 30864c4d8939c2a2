/* Tokens of children: good for one child, one epoch and one data directory. */
#include "agent/io/child_access.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define UUID "00000000-0000-4000-8000-000000000001"

static char directory[] = "/tmp/child_access_test.XXXXXX";

static void remove_all(const struct child_access *access)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/child-api.key", directory);
    unlink(path);
    rmdir(access->directory);
    rmdir(directory);
}

static struct api_identity web(uint64_t epoch)
{
    struct api_identity identity = {.child = {"default", "web-1", 12}, .epoch = epoch};
    TEXT_SET(identity.uid, UUID);
    return identity;
}

static void a_token_says_who_it_is_of(void)
{
    struct child_access access, again;
    struct error err = {0};
    struct stat status;
    char token[CHILD_TOKEN_BYTES_MAX + 1], same[CHILD_TOKEN_BYTES_MAX + 1];
    struct api_identity identity = web(7), found;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    CU_ASSERT_EQUAL_FATAL(child_access_open(&access, directory, &err), 0);
    CU_ASSERT_TRUE(stat(access.directory, &status) == 0 && (status.st_mode & 0777) == 0755);
    child_token_print(&access, &identity, token);
    CU_ASSERT_TRUE(child_token_verify(&access, token, &found));
    CU_ASSERT_EQUAL(child_id_compare(&found.child, &identity.child), 0);
    CU_ASSERT_STRING_EQUAL(found.uid, UUID);
    CU_ASSERT_EQUAL(found.epoch, 7);
    /* after a restart of the agent, too */
    CU_ASSERT_EQUAL_FATAL(child_access_open(&again, directory, &err), 0);
    child_token_print(&again, &identity, same);
    CU_ASSERT_STRING_EQUAL(token, same);
    again.key[0] ^= 1; /* another node's */
    CU_ASSERT_FALSE(child_token_verify(&again, token, &found));
    remove_all(&access);
}

static void a_changed_token_is_none(void)
{
    struct child_access access = {.key = {1, 2, 3}};
    struct api_identity identity = web(7), found;
    char token[CHILD_TOKEN_BYTES_MAX + 1], other[CHILD_TOKEN_BYTES_MAX + 2];
    child_token_print(&access, &identity, token);
    for (size_t bit = 0; bit < 8 * strlen(token); bit++) {
        strcpy(other, token);
        other[bit / 8] = (char)(other[bit / 8] ^ 1 << bit % 8);
        CU_ASSERT_FALSE(child_token_verify(&access, other, &found));
    }
    for (size_t bytes = 0; bytes < strlen(token); bytes++) {
        memcpy(other, token, bytes);
        other[bytes] = '\0';
        CU_ASSERT_FALSE(child_token_verify(&access, other, &found));
    }
    strcat(strcpy(other, token), "0");
    CU_ASSERT_FALSE(child_token_verify(&access, other, &found));
    strcpy(other, token);
    memcpy(strstr(other, ".7."), ".8.", 3);
    CU_ASSERT_FALSE(child_token_verify(&access, other, &found));
}

static void the_longest_token_fits(void)
{
    struct child_access access = {.key = {9}};
    struct api_identity identity = {.child = {.ordinal = REPLICAS_MAX}, .epoch = UINT64_MAX}, found;
    char token[CHILD_TOKEN_BYTES_MAX + 1];
    memset(identity.child.ns, 'a', NAME_BYTES_MAX);
    memset(identity.child.workload, 'b', NAME_BYTES_MAX);
    TEXT_SET(identity.uid, UUID);
    child_token_print(&access, &identity, token);
    CU_ASSERT_TRUE(child_token_verify(&access, token, &found));
    CU_ASSERT_EQUAL(found.epoch, UINT64_MAX);
    CU_ASSERT_EQUAL(child_id_compare(&found.child, &identity.child), 0);
}

UNIT_MAIN("child access", {"a token says who it is of", a_token_says_who_it_is_of},
          {"a changed token is none", a_changed_token_is_none},
          {"the longest token fits", the_longest_token_fits})
