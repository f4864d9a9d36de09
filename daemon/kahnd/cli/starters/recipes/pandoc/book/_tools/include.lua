-- Replaces a code block of the class `include` by the files that its lines name, relative to the book's folder.

local function line_of(name, from)
  local number = 0
  for line in io.lines(from) do
    number = number + 1
    if line == name then return number end
  end
  return 0
end

local function include(from)
  return function(block)
    if not block.classes:includes("include") then return nil end
    local blocks = pandoc.List()
    for name in block.text:gmatch("[^\n]+") do
      local file = io.open(name)
      if not file then
        io.stderr:write(string.format("%s:%d: error: %s is not there\n", from, line_of(name, from), name))
        os.exit(1)
      end
      local read = pandoc.read(file:read("a"), "markdown")
      file:close()
      blocks:extend(pandoc.walk_block(pandoc.Div(read.blocks), { CodeBlock = include(name) }).content)
    end
    return blocks
  end
end

return { { CodeBlock = include(PANDOC_STATE.input_files[1]) } }
