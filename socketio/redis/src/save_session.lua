-- Keeps a session, unless one of a later life of the same socket is kept already.
-- KEYS[1]: its key. ARGV: what is kept, for how many milliseconds, of which life it is.

-- A session is msgpack in base64, and one of a later life than the first begins with it: 1 byte of the map, "life", the number.
-- So its first 15 bytes say it, and a long session takes no longer.
local ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local LIFE = '\164life'

local function life_of(kept)
  local bytes, rest, bits = {}, 0, 0
  for character in string.gmatch(string.sub(kept, 1, 20), '[%w+/]') do
    rest, bits = rest * 64 + string.find(ALPHABET, character, 1, true) - 1, bits + 6
    if bits >= 8 then
      bits = bits - 8
      bytes[#bytes + 1] = string.char(math.floor(rest / 2 ^ bits))
      rest = rest % 2 ^ bits
    end
  end
  local head = table.concat(bytes)
  if string.sub(head, 2, 6) ~= LIFE then
    return 0
  end
  local is_read, _, life = pcall(cmsgpack.unpack_one, head, 6)
  return is_read and tonumber(life) or 0
end

local kept = redis.call('GET', KEYS[1])
if kept and life_of(kept) > tonumber(ARGV[3]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
