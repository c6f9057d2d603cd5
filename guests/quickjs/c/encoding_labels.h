/*
 * The labels of the Encoding standard (§4.2). Encodings from ENCODING_HOST on
 * are decoded by the host, which numbers them from 0 (host/encoding).
 */
#ifndef ENCODING_LABELS_H
#define ENCODING_LABELS_H

enum { ENCODING_UTF8, ENCODING_UTF16LE, ENCODING_UTF16BE, ENCODING_WINDOWS_1252, ENCODING_HOST };

static const char *const encoding_names[] = {
    "utf-8", "utf-16le", "utf-16be", "windows-1252", "ibm866", "iso-8859-2", "iso-8859-3",
    "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8", "iso-8859-8-i",
    "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16", "koi8-r", "koi8-u",
    "macintosh", "windows-874", "windows-1250", "windows-1251", "windows-1253", "windows-1254",
    "windows-1255", "windows-1256", "windows-1257", "windows-1258", "x-mac-cyrillic",
    "x-user-defined", "gbk", "gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr",
};

static const struct {
    const char *label;
    uint8_t encoding;
} encoding_labels[] = {
    { "utf-8", 0 }, { "utf8", 0 }, { "unicode-1-1-utf-8", 0 }, { "unicode11utf8", 0 },
    { "unicode20utf8", 0 }, { "x-unicode20utf8", 0 },
    { "csunicode", 1 }, { "iso-10646-ucs-2", 1 }, { "ucs-2", 1 }, { "unicode", 1 },
    { "unicodefeff", 1 }, { "utf-16", 1 }, { "utf-16le", 1 },
    { "unicodefffe", 2 }, { "utf-16be", 2 },
    { "ansi_x3.4-1968", 3 }, { "ascii", 3 }, { "cp1252", 3 }, { "cp819", 3 }, { "csisolatin1", 3 },
    { "ibm819", 3 }, { "iso-8859-1", 3 }, { "iso-ir-100", 3 }, { "iso8859-1", 3 },
    { "iso88591", 3 }, { "iso_8859-1", 3 }, { "iso_8859-1:1987", 3 }, { "l1", 3 }, { "latin1", 3 },
    { "us-ascii", 3 }, { "windows-1252", 3 }, { "x-cp1252", 3 },
    { "866", 4 }, { "cp866", 4 }, { "csibm866", 4 }, { "ibm866", 4 },
    { "csisolatin2", 5 }, { "iso-8859-2", 5 }, { "iso-ir-101", 5 }, { "iso8859-2", 5 },
    { "iso88592", 5 }, { "iso_8859-2", 5 }, { "iso_8859-2:1987", 5 }, { "l2", 5 }, { "latin2", 5 },
    { "csisolatin3", 6 }, { "iso-8859-3", 6 }, { "iso-ir-109", 6 }, { "iso8859-3", 6 },
    { "iso88593", 6 }, { "iso_8859-3", 6 }, { "iso_8859-3:1988", 6 }, { "l3", 6 }, { "latin3", 6 },
    { "csisolatin4", 7 }, { "iso-8859-4", 7 }, { "iso-ir-110", 7 }, { "iso8859-4", 7 },
    { "iso88594", 7 }, { "iso_8859-4", 7 }, { "iso_8859-4:1988", 7 }, { "l4", 7 }, { "latin4", 7 },
    { "csisolatincyrillic", 8 }, { "cyrillic", 8 }, { "iso-8859-5", 8 }, { "iso-ir-144", 8 },
    { "iso8859-5", 8 }, { "iso88595", 8 }, { "iso_8859-5", 8 }, { "iso_8859-5:1988", 8 },
    { "arabic", 9 }, { "asmo-708", 9 }, { "csiso88596e", 9 }, { "csiso88596i", 9 },
    { "csisolatinarabic", 9 }, { "ecma-114", 9 }, { "iso-8859-6", 9 }, { "iso-8859-6-e", 9 },
    { "iso-8859-6-i", 9 }, { "iso-ir-127", 9 }, { "iso8859-6", 9 }, { "iso88596", 9 },
    { "iso_8859-6", 9 }, { "iso_8859-6:1987", 9 },
    { "csisolatingreek", 10 }, { "ecma-118", 10 }, { "elot_928", 10 }, { "greek", 10 },
    { "greek8", 10 }, { "iso-8859-7", 10 }, { "iso-ir-126", 10 }, { "iso8859-7", 10 },
    { "iso88597", 10 }, { "iso_8859-7", 10 }, { "iso_8859-7:1987", 10 }, { "sun_eu_greek", 10 },
    { "csiso88598e", 11 }, { "csisolatinhebrew", 11 }, { "hebrew", 11 }, { "iso-8859-8", 11 },
    { "iso-8859-8-e", 11 }, { "iso-ir-138", 11 }, { "iso8859-8", 11 }, { "iso88598", 11 },
    { "iso_8859-8", 11 }, { "iso_8859-8:1988", 11 }, { "visual", 11 },
    { "csiso88598i", 12 }, { "iso-8859-8-i", 12 }, { "logical", 12 },
    { "csisolatin6", 13 }, { "iso-8859-10", 13 }, { "iso-ir-157", 13 }, { "iso8859-10", 13 },
    { "iso885910", 13 }, { "l6", 13 }, { "latin6", 13 },
    { "iso-8859-13", 14 }, { "iso8859-13", 14 }, { "iso885913", 14 },
    { "iso-8859-14", 15 }, { "iso8859-14", 15 }, { "iso885914", 15 },
    { "csisolatin9", 16 }, { "iso-8859-15", 16 }, { "iso8859-15", 16 }, { "iso885915", 16 },
    { "iso_8859-15", 16 }, { "l9", 16 },
    { "iso-8859-16", 17 },
    { "cskoi8r", 18 }, { "koi", 18 }, { "koi8", 18 }, { "koi8-r", 18 }, { "koi8_r", 18 },
    { "koi8-ru", 19 }, { "koi8-u", 19 },
    { "csmacintosh", 20 }, { "mac", 20 }, { "macintosh", 20 }, { "x-mac-roman", 20 },
    { "dos-874", 21 }, { "iso-8859-11", 21 }, { "iso8859-11", 21 }, { "iso885911", 21 },
    { "tis-620", 21 }, { "windows-874", 21 },
    { "cp1250", 22 }, { "windows-1250", 22 }, { "x-cp1250", 22 },
    { "cp1251", 23 }, { "windows-1251", 23 }, { "x-cp1251", 23 },
    { "cp1253", 24 }, { "windows-1253", 24 }, { "x-cp1253", 24 },
    { "cp1254", 25 }, { "csisolatin5", 25 }, { "iso-8859-9", 25 }, { "iso-ir-148", 25 },
    { "iso8859-9", 25 }, { "iso88599", 25 }, { "iso_8859-9", 25 }, { "iso_8859-9:1989", 25 },
    { "l5", 25 }, { "latin5", 25 }, { "windows-1254", 25 }, { "x-cp1254", 25 },
    { "cp1255", 26 }, { "windows-1255", 26 }, { "x-cp1255", 26 },
    { "cp1256", 27 }, { "windows-1256", 27 }, { "x-cp1256", 27 },
    { "cp1257", 28 }, { "windows-1257", 28 }, { "x-cp1257", 28 },
    { "cp1258", 29 }, { "windows-1258", 29 }, { "x-cp1258", 29 },
    { "x-mac-cyrillic", 30 }, { "x-mac-ukrainian", 30 },
    { "x-user-defined", 31 },
    { "chinese", 32 }, { "csgb2312", 32 }, { "csiso58gb231280", 32 }, { "gb2312", 32 },
    { "gb_2312", 32 }, { "gb_2312-80", 32 }, { "gbk", 32 }, { "iso-ir-58", 32 }, { "x-gbk", 32 },
    { "gb18030", 33 },
    { "big5", 34 }, { "big5-hkscs", 34 }, { "cn-big5", 34 }, { "csbig5", 34 }, { "x-x-big5", 34 },
    { "cseucpkdfmtjapanese", 35 }, { "euc-jp", 35 }, { "x-euc-jp", 35 },
    { "csiso2022jp", 36 }, { "iso-2022-jp", 36 },
    { "csshiftjis", 37 }, { "ms932", 37 }, { "ms_kanji", 37 }, { "shift-jis", 37 },
    { "shift_jis", 37 }, { "sjis", 37 }, { "windows-31j", 37 }, { "x-sjis", 37 },
    { "cseuckr", 38 }, { "csksc56011987", 38 }, { "euc-kr", 38 }, { "iso-ir-149", 38 },
    { "korean", 38 }, { "ks_c_5601-1987", 38 }, { "ks_c_5601-1989", 38 }, { "ksc5601", 38 },
    { "ksc_5601", 38 }, { "windows-949", 38 },
};

#endif
