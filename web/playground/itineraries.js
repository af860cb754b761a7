/** The four tours. */

const BEST = 0

/** What was served, whatever it was: a tour tells what happened, not what should have. */
const SERVED = {
  full: "A model answered: the careful call found one that is well.",
  cached: "A saved answer to the same question, and the person is told how old it is.",
  rule: "The prepared answer, with a link to what the person needs.",
  minimal: "There is nothing to give, so the person gets plain words: what happened, whether anything was lost, and when to try again.",
}
const served = ({ end }) => SERVED[end.type === "done" ? end.level : "minimal"]

export function itineraries(models) {
  const best = models[BEST].replace("claude-", "")
  return [
    {
      name: "The brownout",
      about: "One call in five is turned away. Does anybody notice?",
      steps: 6,
      async run(guide) {
        await guide.set("healthy", { [models[BEST]]: ["overloaded", 20] })
        await guide.say(`A brownout is the usual bad day: ${best} now turns away one call in five with a 529, “overloaded”.`)
        await guide.say("Twenty people ask at the same time. Each dot on the right is one of them.")
        const others = await guide.others(20)
        const nobody = others.full === 20 ? " Nobody saw an error, and nobody had to ask again." : ""
        await guide.say(`${others.full} of 20 got a model's full answer, ${others.rescued} of them by another try.${nobody}`, "inside")
        await guide.set("healthy", { [models[BEST]]: ["overloaded", 100] })
        await guide.say(`Now it gets worse: ${best} turns away every call. We ask, too.`)
        await guide.ask("What does a payslip prove?")
        await guide.say("The first bar is the call that was turned away, the next is another model, which was asked at once. The person saw a short wait and an answer.", "inside")
        await guide.say("That is the whole trick of a brownout: do not hammer a tired model, ask one that is well. Everything is set back now.")
      },
    },
    {
      name: "The outage and the recovery",
      about: "No model answers. What is left to give, and how it comes back.",
      steps: 10,
      async run(guide) {
        const fresh = `How is a bridge loan of ${10_000 + (Date.now() % 90_000)} euros repaid?`
        await guide.set("healthy")
        await guide.say("First an ordinary minute: all models are well, and we ask something. The answer is saved.")
        await guide.ask("What is an escrow account?")
        await guide.down()
        await guide.say("Now every model is down, and twenty others notice it first: each of them asks something new.")
        const others = await guide.others(20)
        await guide.say(`${others.notice} of 20 get plain words in place of an answer. ${guide.stage.open()} of ${models.length} breakers are open: nobody waits for a dead model any more. We ask the same question as before, in a new conversation.`, "inside")
        await guide.say(served(await guide.ask("What is an escrow account?")))
        await guide.say("Next, a common question for which somebody wrote an answer beforehand.")
        await guide.say(served(await guide.ask("Which documents do I need?")))
        await guide.say("And a question that nobody has asked before?")
        await guide.say(served(await guide.ask(fresh)))
        await guide.set("healthy")
        await guide.say("The models are well again. Nobody tells failsoft: it finds out by one careful call when a breaker's time is over.", "inside")
        await guide.until(() => guide.stage.ready(), 25)
        await guide.say(`${served(await guide.ask(fresh))} The outage ended by itself, and everything is set back now.`)
      },
    },
    {
      name: "The cut answer",
      about: "The line breaks in the middle of a sentence.",
      steps: 4,
      async run(guide) {
        await guide.set("cut")
        await guide.say("Every model's answer now breaks off after a dozen words. An SDK alone would raise a network error, or worse: show half an answer as if it were whole.")
        await guide.ask("How does a fixed interest rate work?")
        await guide.say("What was read stays on the screen, and the notice says that it is not the whole answer. Nothing of another model is glued on behind it.")
        await guide.set("healthy")
        await guide.say("The line is mended, and the person presses “Try again”. The same request runs again, under the same key.")
        await guide.retry()
        await guide.say("The half answer was replaced as soon as the new one began. One question, one record, one whole answer. Everything is set back now.")
      },
    },
    {
      name: "The double click",
      about: "The same question is sent twice. It is asked once.",
      steps: 3,
      async run(guide) {
        await guide.set("slow")
        await guide.say("The models are slow, and people who wait click again. We ask, and send the very same question a second time while the first is on its way.")
        const asked = guide.ask("Is my application complete?")
        const [first, twice] = await Promise.all([asked, guide.pause(600).then(() => guide.again())])
        const same = twice.text === first.text ? "the same answer, word for word" : "its answer"
        await guide.say(`The second copy joined the first: both got ${same}, and the models were called ${twice.calls === 1 ? "once" : `${twice.calls} times`} for the two of them.`, "inside")
        await guide.say("A double click, a reload, a second tab or a proxy's own retry: each is one request, one call, one bill, one record. Everything is set back now.")
      },
    },
  ]
}
