#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the same scripts on redis-server and on kvorum and compares the bytes of the replies.

redis_scripts.py path/to/kvorum: what the interpreter of both offers and refuses, conversions in
both directions, errors and where they were, libraries; in RESP2 and RESP3. Prints the differences
and `N passed, N failed`."""
import shutil
import sys

from node_processes import ServerPair
from redis_differential import Peer, encode, redis_server

KEY = ['k']
# Script, or script with its keys and arguments. Each begins with k = 'v'.
SCRIPTS = [
    # conversions
    'return 1', 'return 3.99', 'return -3.99', 'return "text"', 'return true', 'return false',
    'return nil', 'return', 'return {}', 'return {1,2,{3,"x",{4}}}', 'return {1,nil,3}',
    'return {1,true,false,2}', 'return 2^53', 'return 2^63', 'return -2^63', 'return 1e300',
    'return {ok="fine"}', 'return {err="x y"}', 'return {err="x"}', 'return {ok="a", err="b"}',
    'return {double=3.5}', 'return {double=10}', 'return {double=1e100}', 'return {double=1/0}',
    'return {map={a=1}}', 'return {set={a=true}}', 'return {a=1}', 'return {[0]=1}',
    'return {verbatim_string={format="txt",string="hi"}}', 'return {big_number="12345678901234"}',
    'return function() end', 'return print', 'return {function() end, 1}', 'return {1,{ok="x"}}',
    'redis.setresp(3) return true', 'redis.setresp(3) return false', 'redis.setresp(3) return nil',
    'return redis.setresp(4)', 'return redis.setresp()', 'return redis.setresp("3")',
    ('return tostring(redis.call("get", KEYS[1]) == "v")', KEY),
    'return redis.status_reply("a\\r\\nb")', 'return redis.status_reply()',
    'return redis.status_reply(1)', 'return redis.error_reply("MYERR")',
    'return redis.error_reply("My err")', 'return redis.error_reply("-My err")',
    'return redis.error_reply("-MYERR")', 'return redis.error_reply("a\\r\\nb c\\r\\n")',
    'return redis.error_reply()', 'return redis.error_reply("")',
    # KEYS and ARGV
    ('return KEYS', KEY), ('return ARGV', KEY, ['a', 'b', '']), ('return {#KEYS, #ARGV}', KEY, [1]),
    ('return {KEYS[2], ARGV[1]}', KEY), ('KEYS[1] = "b" return KEYS', KEY), 'KEYS = nil return 1',
    ('return ARGV[1]', [], ['\x00\xff\r\n']), ('return tonumber(ARGV[1]) + 1', [], ['41']),
    ('return type(ARGV[1])', [], ['5']), ('return {ARGV[1] + 1, ARGV[1] .. ""}', [], ['5']),
    # commands
    ('return redis.call("get", KEYS[1])', KEY), ('return redis.call("GET", KEYS[1])', KEY),
    ('return redis.call("set", KEYS[1], ARGV[1])', KEY, ['x']),
    ('return {redis.call("set", KEYS[1], 5), redis.call("get", KEYS[1])}', KEY),
    ('redis.call("set", KEYS[1], 5) return redis.call("incr", KEYS[1])', KEY),
    ('redis.call("set", KEYS[1], 0.1) return redis.call("get", KEYS[1])', KEY),
    ('redis.call("set", KEYS[1], 10/3) return redis.call("get", KEYS[1])', KEY),
    ('redis.call("set", KEYS[1], 1e15) return redis.call("get", KEYS[1])', KEY),
    ('redis.call("set", KEYS[1], 1e20) return redis.call("get", KEYS[1])', KEY),
    ('redis.call("set", KEYS[1], -0.5) return redis.call("get", KEYS[1])', KEY),
    ('redis.call("set", KEYS[1], 2^53) return redis.call("get", KEYS[1])', KEY),
    ('return redis.call("del", KEYS[1])', KEY), ('return redis.call("exists", KEYS[1])', KEY),
    ('redis.call("del", KEYS[1]) return redis.call("get", KEYS[1])', KEY),
    ('redis.call("del", KEYS[1]) return tostring(redis.call("get", KEYS[1]))', KEY),
    ('redis.call("del", KEYS[1]) return {1, redis.call("get", KEYS[1]), 2}', KEY),
    ('redis.setresp(3) redis.call("del", KEYS[1]) return tostring(redis.call("get",KEYS[1]))', KEY),
    ('return redis.call("append", KEYS[1], "w")', KEY),
    ('return redis.call("strlen", KEYS[1])', KEY), ('return redis.call("type", KEYS[1])', KEY),
    ('return redis.call("type", KEYS[1]).ok', KEY), ('return redis.call("ttl", KEYS[1])', KEY),
    ('return {redis.call("expire", KEYS[1], 100), redis.call("ttl", KEYS[1])}', KEY),
    ('redis.call("pexpire", KEYS[1], 0) return redis.call("exists", KEYS[1])', KEY),
    ('redis.call("expire", KEYS[1], 100) return redis.call("persist", KEYS[1])', KEY),
    ('return redis.call("set", KEYS[1], "w", "NX")', KEY),
    ('return redis.call("set", KEYS[1], "w", "XX", "GET")', KEY),
    ('return redis.call("getset", KEYS[1], "w")', KEY), ('return redis.call("getdel",KEYS[1])', KEY),
    ('return redis.call("getrange", KEYS[1], 0, -1)', KEY),
    ('return redis.call("setrange", KEYS[1], 3, "x")', KEY),
    ('return redis.call("mget", KEYS[1], KEYS[1])', KEY),
    ('return redis.call("mset", KEYS[1], 1, KEYS[1], 2)', KEY),
    ('return redis.call("setbit", KEYS[1], 9, 1)', KEY),
    ('return redis.call("bitcount", KEYS[1])', KEY),
    ('return redis.call("bitfield", KEYS[1], "get", "u8", 0, "incrby", "u8", 0, 1)', KEY),
    ('return redis.call("incrbyfloat", KEYS[1], 1)', KEY),
    ('redis.call("set", KEYS[1], "3") return redis.call("incrbyfloat", KEYS[1], "1.5")', KEY),
    ('for i = 1, 100 do redis.call("append", KEYS[1], i) end return redis.call("get", KEYS[1])', KEY),
    'return redis.call("ping")', 'return redis.call("echo", "x")', 'return redis.call("ping", "x")',
    'return #redis.call("time")',
    # errors of commands
    'return redis.call()', 'return redis.pcall()', 'return redis.call("nope")',
    'return redis.pcall("nope")', ('return redis.call("get")', KEY),
    ('return redis.call("incr", KEYS[1])', KEY), ('return redis.pcall("incr", KEYS[1])', KEY),
    ('return redis.call("incr", {})', KEY), ('return redis.call("incr", true)', KEY),
    ('return redis.call("incr", nil)', KEY),
    ('return redis.pcall("incr", KEYS[1]).err', KEY),
    ('local ok, e = pcall(redis.call, "incr", KEYS[1]) return {tostring(ok), e.err}', KEY),
    ('redis.call("set", KEYS[1], "1") redis.call("incr", KEYS[1], 2)', KEY),
    ('local x = 1\n\nredis.call("incr", KEYS[1])', KEY),
    ('local function f() redis.call("incr", KEYS[1]) end\nf()', KEY),
    ('return redis.call("set", KEYS[1], "1", "FOO")', KEY),
    'return redis.call("eval", "return 1", 0)', 'return redis.call("multi")',
    'return redis.call("auth", "x")', 'return redis.call("subscribe", "x")',
    'return redis.call("config", "get", "port")', 'return redis.call("client", "id")',
    'return redis.call("script", "flush")', 'return redis.pcall("evalsha", "x", 0)',
    # errors of Lua
    'error("boo")', 'error("boo", 0)', 'error({err="boo"})', 'error({err="My boo"})',
    'local a = {} a.b.c = 1', 'return 1 +', 'return "', 'x = 1', 'return foo', 'foo()',
    'local function f() error("deep") end\n\n f()', 'return ("x") + 1', 'return #nil',
    'return pcall(error, "x")', 'return {pcall(function() error("x") end)}', 'assert(false, "no")',
    'assert(nil)', 'return select("#", pcall(error))', 'return nil .. "x"', 'goto x', 'a b c',
    'return {xpcall(function() error("x") end, function(e) return "h:" .. e end)}',
    # the sandbox
    'return redis.x', 'redis.x = 1', 'string.foo = 1', 'redis = 1', '_G.x = 1', '_G = 1',
    'rawset(_G, "a", 1)', 'table.insert(_G, 1)', 'setmetatable(_G, {})', 'setmetatable(redis, {})',
    'return type(_G)', 'return type(_G.redis.call)', 'return rawget(_G, "nothing")',
    'return type(rawget(_G, "redis"))', 'return type(rawget(redis, "call"))', 'return tostring(_G.x)',
    'return os', 'return io', 'return debug', 'return require', 'return dofile', 'return loadfile',
    'return getfenv', 'return setfenv', 'return module', 'return package', 'return newproxy',
    'return type(loadstring("return 1"))', 'return loadstring("return 5")()',
    'local a, b = loadstring("return +") return {tostring(a), b}',
    'return tostring(loadstring(string.dump(function() return 1 end)))',
    'return load(function() return nil end)()', 'return _VERSION', 'return type(coroutine.create)',
    'local f = coroutine.wrap(function() coroutine.yield(1) end) return f()',
    ('local f = coroutine.wrap(function() return redis.call("get", KEYS[1]) end) return f()', KEY),
    'local t = {} for k in pairs(redis) do t[#t + 1] = k end table.sort(t) return #t > 10',
    'local n = 0 for k in pairs(_G) do n = n + 1 end return n > 20',
    'return type(next(redis))', 'return type(string.format)', 'return collectgarbage("count") > 0',
    'local s = "" return s.len', 'return ("abc"):upper()', 'return tostring(1e15)',
    'return tostring(0.1)', 'return tostring(2^53)', 'return 7 % 3', 'return -7 % 3',
    'return {string.find("hello", "l+")}', 'return string.format("%5.2f|%d|%s", 3.14159, 3, "x")',
    'return {table.concat({1,2,3}, ","), table.getn({1,2}), table.maxn({1,2})}',
    'local t = {3,1,2} table.sort(t) return t', 'local t = {1} table.insert(t, 2) return t',
    'return {unpack({1,2,3})}', 'return select(2, "a", "b")', 'return string.rep("a", 3)',
    'return {math.floor(1.5), math.ceil(1.5), math.max(1,2), math.huge == 1/0}',
    # numbers from a seed
    'math.randomseed(7) return math.random(100000)', 'math.randomseed(7) return math.random(5, 10)',
    'math.randomseed(7) return tostring(math.random())', 'return math.random(0)',
    'math.randomseed(-1) return {math.random(10), math.random(10), math.random(10)}',
    'return math.random(3, 2)', 'return math.random(1, 2, 3)',
    # the other functions of redis
    'return redis.sha1hex("")', 'return redis.sha1hex("abc")', 'return redis.sha1hex()',
    'return redis.sha1hex(5)', 'redis.log(1)', 'redis.log(9, "x")', 'redis.log("x", "x")',
    'return redis.log(redis.LOG_WARNING, "a test writes this")', 'return redis.LOG_DEBUG',
    'return redis.LOG_NOTICE', 'return redis.REPL_ALL', 'return redis.REPL_AOF',
    'return redis.replicate_commands()', 'return redis.set_repl(redis.REPL_ALL)',
    'return redis.set_repl(9)', 'return redis.set_repl()', 'return redis.breakpoint()',
    'return redis.debug("x")', 'return redis.acl_check_cmd("get", "a")', 'return redis.acl_check_cmd()',
    'return redis.acl_check_cmd("nope", "a")',
    # cjson
    'return cjson.encode({1,2,{a=1.5}})', 'return cjson.encode({})', 'return cjson.encode("x\\n\\"")',
    'return cjson.encode(cjson.null)', 'return cjson.decode("[1,2,3]")',
    'return cjson.decode("{\\"a\\":[1,{\\"b\\":2}]}").a[2].b', 'return cjson.decode("{")',
    'return tostring(cjson.decode("null") == cjson.null)', 'return cjson.decode("1.5")',
    'return cjson.encode({[1]=1,[3]=3})', 'return cjson.encode({a={1,"x",true}})',
    'return cjson.encode(2^53)', 'return cjson.encode(1/3)', 'cjson.x = 1', 'return cjson.encode(print)',
    # cmsgpack
    'return cmsgpack.pack(1)', 'return cmsgpack.pack(-1, 127, 128, 255, 256, 65535, 65536, 2^32)',
    'return cmsgpack.pack(-32, -33, -128, -129, -32768, -32769, -2^31, -2^31 - 1)',
    'return cmsgpack.pack(1.5, 0.1, 1e300, -0.5)', 'return cmsgpack.pack("", "x", string.rep("y", 40))',
    'return cmsgpack.pack(string.rep("z", 300))', 'return cmsgpack.pack(string.rep("z", 70000))',
    'return cmsgpack.pack(nil, true, false)', 'return cmsgpack.pack({})', 'return cmsgpack.pack()',
    'return cmsgpack.pack({1,2,3})', 'return cmsgpack.pack({a=1})', 'return cmsgpack.pack({[1]=1,[3]=3})',
    'return cmsgpack.pack({1,{2,{3}}})', 'return cmsgpack.pack({{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}})',
    'local t = {} for i = 1, 20 do t[i] = i end return cmsgpack.pack(t)',
    'return cmsgpack.pack(print)', 'return cmsgpack.pack(2^63)', 'return cmsgpack.pack(-2^63)',
    'return {cmsgpack.unpack(cmsgpack.pack(1, "x", {1,2}, -5))}',
    'return {cmsgpack.unpack("\\xcc")}', 'return {cmsgpack.unpack("\\xc1")}',
    'return {cmsgpack.unpack(string.char(0xcc))}', 'return {cmsgpack.unpack(string.char(0xc1))}',
    'return {cmsgpack.unpack(string.char(0x92, 1))}', 'return {cmsgpack.unpack(string.char(0xa5, 65))}',
    'return {cmsgpack.unpack("")}', 'return {cmsgpack.unpack()}', 'return {cmsgpack.unpack(5)}',
    'return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3))}',
    'return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3), 2)}',
    'return {cmsgpack.unpack_one(cmsgpack.pack(1), 9)}', 'return {cmsgpack.unpack_one("x", -1)}',
    'return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2)}',
    'return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2, 1)}',
    'return cmsgpack.unpack(cmsgpack.pack({a={b=7}})).a.b', 'return cmsgpack._NAME',
    # bit
    'return {bit.band(255, 15), bit.bor(1, 6), bit.bxor(5, 1), bit.bnot(0), bit.lshift(1, 4)}',
    'return {bit.rshift(-1, 28), bit.arshift(-8, 1), bit.rol(1, 31), bit.ror(1, 1), bit.bswap(1)}',
    'return bit.tohex(255)', 'return bit.tobit(2^32 + 5)', 'return bit.band()',
    # struct
    'return struct.pack("b", -1)', 'return struct.pack("<hHlL", -2, 65535, -3, 4)',
    'return struct.pack(">hHlLI3i5", -2, 65535, -3, 4, 66051, -5)', 'return struct.pack("fd", 1.5, 2.5)',
    'return struct.pack(">fd", 1.5, 2.5)', 'return struct.pack("s", "abc")', 'return struct.pack("c2", "abc")',
    'return struct.pack("c0", "abc")', 'return struct.pack("c5", "abc")', 'return struct.pack("bxb", 1, 2)',
    'return struct.pack("!4bi", 1, 2)', 'return struct.pack("!bd", 1, 2)', 'return struct.pack("!3b", 1)',
    'return struct.pack("z", 1)', 'return struct.pack("i33", 1)', 'return struct.pack("b")',
    'return struct.pack("I", 2^32 - 1)', 'return struct.pack("T", 7)', 'return struct.pack("B", -1)',
    'return {struct.unpack("<hH", struct.pack("<hH", -2, 65535))}',
    'return {struct.unpack(">I3i5", struct.pack(">I3i5", 66051, -5))}',
    'return {struct.unpack("s", "abc" .. string.char(0) .. "rest")}', 'return {struct.unpack("s", "abc")}',
    'return {struct.unpack("c2", "abc")}', 'return {struct.unpack("bc0", string.char(2) .. "abc")}',
    'return {struct.unpack("c0", "abc")}', 'return {struct.unpack("i", "ab")}',
    'return {struct.unpack("b", "abc", 2)}', 'return {struct.unpack("b", "abc", 0)}',
    'return {struct.unpack("b", "abc", 4)}', 'return {struct.unpack("bxb", "abc")}',
    'return {struct.unpack("!4bi", struct.pack("!4bi", 1, 2))}', 'return struct.size("bhi")',
    'return struct.size("!bhi")', 'return struct.size("s")', 'return struct.size("c0")', 'return struct.size("c7")',
    # the first line
    '#!lua\nreturn 1', '#!lua flags=\nreturn 1', '#!lua flags=no-writes\nreturn redis.call("ping")',
    ('#!lua flags=no-writes\nreturn redis.call("set", KEYS[1], 1)', KEY), '#!lua flags=foo\nreturn 1',
    '#!js\nreturn 1', '#!lua name=x\nreturn 1', '#!lua\n\nerror("line 3")', '#!lua',
    '#!lua flags=no-writes,allow-oom\nreturn 2',
    # what clients of Redis send
    ('if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) '
     'else return 0 end', KEY, ['v']),
    ('if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("pexpire",KEYS[1],ARGV[2]) '
     'else return 0 end', KEY, ['v', '5000']),
    ('local c = redis.call("INCRBY", KEYS[1], ARGV[1]) if c == tonumber(ARGV[1]) then '
     'redis.call("PEXPIRE", KEYS[1], ARGV[2]) end return {c, redis.call("TTL", KEYS[1])}',
     ['counter'], ['1', '60000']),
    ('local v = redis.call("get", KEYS[1]) if v == false then return redis.call("psetex", KEYS[1], '
     'ARGV[2], ARGV[1]) end if v == ARGV[1] then return 1 end return 0', ['lock'], ['a', '9000']),
]  # fmt: skip

# Commands about scripts; each is sent as it is.
COMMANDS = [
    ['EVAL'], ['EVAL', 'return 1'], ['EVAL', 'return 1', '-1'], ['EVAL', 'return 1', '2', 'a'],
    ['EVAL', 'return 1', 'x'], ['EVAL', 'return 1', '0', 'a'], ['EVALSHA', 'abc', '0'],
    ['EVALSHA', 'a' * 40, '0'], ['EVALSHA', 'a' * 40, 'x'], ['EVAL_RO', 'return 1', '0'],
    ['EVAL_RO', 'return redis.call("set", KEYS[1], 1)', '1', 'k'],
    ['EVAL_RO', 'return redis.call("get", KEYS[1])', '1', 'k'],
    ['SCRIPT', 'LOAD', 'return 5'], ['SCRIPT', 'LOAD', 'return +'], ['SCRIPT', 'LOAD', '#!x\n'],
    ['EVALSHA', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', '0'],
    ['EVALSHA', '4CA238F611C9D0AE4E9A75A5DBAC22AEDC379801', '0'],
    ['EVALSHA_RO', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', '1', 'k'],
    ['SCRIPT', 'EXISTS', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', 'x'],
    ['SCRIPT', 'KILL'], ['SCRIPT', 'DEBUG', 'no'], ['SCRIPT', 'DEBUG', 'x'], ['SCRIPT', 'FLUSH'],
    ['SCRIPT', 'EXISTS', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801'],
    ['EVALSHA', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', '0'],
    ['MULTI'], ['EVAL', 'return redis.call("incrby", KEYS[1], 2)', '1', 'n'],
    ['EVAL', 'return "none"', '0'], ['EVAL', 'return redis.call("incr", KEYS[1])', '1', 'k'],
    ['GET', 'n'], ['EXEC'],
]  # fmt: skip


def commands_of(case):
    if isinstance(case, str):
        case = (case,)
    keys = case[1] if len(case) > 1 else []
    arguments = case[2] if len(case) > 2 else []
    yield ['SET', 'k', 'v']
    yield ['EVAL', case[0], len(keys)] + keys + arguments


def compare(servers, version):
    """(how many were the same, how many not)"""
    peers = [Peer(servers.ours), Peer(servers.theirs)]
    counts = {True: 0, False: 0}

    def both(words):
        replies = []
        for peer in peers:
            peer.send(encode(words))
            replies.append(peer.reply())
        return replies

    both(['HELLO', version])
    both(['FLUSHALL'])
    for case in SCRIPTS:
        for words in commands_of(case):
            ours, theirs = both(words)
        judge(counts, words, ours, theirs, version)
    for words in COMMANDS:
        ours, theirs = both(words)
        judge(counts, words, ours, theirs, version)
    for peer in peers:
        peer.close()
    return counts[True], counts[False]


def judge(counts, words, ours, theirs, version):
    counts[ours == theirs] += 1
    if ours != theirs:
        print('FAIL %r (RESP%d)\n     kvorum %r' % (words, version, ours[:300]))
        print('     redis  %r' % theirs[:300], flush=True)


def main():
    if not shutil.which('redis-server'):
        print('skipped: redis-server is not installed')
        print('0 passed, 0 failed')
        return 0
    passed = failed = 0
    with ServerPair(sys.argv[1], 'redis', redis_server) as servers:
        for version in (2, 3):
            good, bad = compare(servers, version)
            passed, failed = passed + good, failed + bad
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
