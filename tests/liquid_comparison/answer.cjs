// Reads {templates: [text], values: {name: value}} from stdin; writes {template: {name: text, or null if refused}}.
const { Liquid } = require(process.argv[2])

const engine = new Liquid({ ownPropertyOnly: true, strictFilters: true, timezoneOffset: 0, locale: 'en-US' })

function answer (template, v) {
  try {
    return engine.parseAndRenderSync(template, { v })
  } catch {
    return null
  }
}

const { templates, values } = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const answers = {}
for (const template of templates) {
  answers[template] = {}
  for (const [name, value] of Object.entries(values)) answers[template][name] = answer(template, value)
}
process.stdout.write(JSON.stringify(answers, null, 1) + '\n')
