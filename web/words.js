/**
 * The few words that a page says by itself. What went wrong with an answer is said by the service,
 * in its notices; these are the labels of the elements, and what only the page can know: that the
 * service cannot be reached, or that the device is offline.
 */

/** Of the elements. */
const labels = {
  en: {
    ask: "Your message",
    hint: "Ask anything",
    send: "Send",
    stop: "Stop",
    talk: "Conversation",
    you: "You said",
    assistant: "The assistant said",
    complete: "The answer is complete.",
    working: "Working on it",
    stopped: "You stopped this answer.",
    busy: "An answer is on its way. Stop it to send something else.",
    ready: "You can try again now.",
    wait: "in {time}",
    reference: "Reference",
    support: "Support",
    status_page: "Service status",
    help: "Help",
    history: "Earlier answers",
    more: "Read more",
  },
  es: {
    ask: "Tu mensaje",
    hint: "Pregunta lo que quieras",
    send: "Enviar",
    stop: "Detener",
    talk: "Conversación",
    you: "Tú",
    assistant: "El asistente",
    complete: "La respuesta está completa.",
    working: "Trabajando en ello",
    stopped: "Has detenido esta respuesta.",
    busy: "Hay una respuesta en camino. Detenla para enviar otra cosa.",
    ready: "Ya puedes intentarlo de nuevo.",
    wait: "en {time}",
    reference: "Referencia",
    support: "Soporte",
    status_page: "Estado del servicio",
    help: "Ayuda",
    history: "Respuestas anteriores",
    more: "Leer más",
  },
  de: {
    ask: "Ihre Nachricht",
    hint: "Fragen Sie etwas",
    send: "Senden",
    stop: "Anhalten",
    talk: "Unterhaltung",
    you: "Sie",
    assistant: "Der Assistent",
    complete: "Die Antwort ist vollständig.",
    working: "Antwort kommt",
    stopped: "Sie haben diese Antwort angehalten.",
    busy: "Eine Antwort ist unterwegs. Halten Sie sie an, um etwas anderes zu senden.",
    ready: "Sie können es jetzt noch einmal versuchen.",
    wait: "in {time}",
    reference: "Kennzeichen",
    support: "Support",
    status_page: "Zustand des Dienstes",
    help: "Hilfe",
    history: "Frühere Antworten",
    more: "Mehr lesen",
  },
  fr: {
    ask: "Votre message",
    hint: "Posez votre question",
    send: "Envoyer",
    stop: "Arrêter",
    talk: "Conversation",
    you: "Vous",
    assistant: "L’assistant",
    complete: "La réponse est complète.",
    working: "Réponse en cours",
    stopped: "Vous avez arrêté cette réponse.",
    busy: "Une réponse est en route. Arrêtez-la pour envoyer autre chose.",
    ready: "Vous pouvez réessayer maintenant.",
    wait: "dans {time}",
    reference: "Référence",
    support: "Assistance",
    status_page: "État du service",
    help: "Aide",
    history: "Réponses précédentes",
    more: "Lire la suite",
  },
  ja: {
    ask: "メッセージ",
    hint: "何でも聞いてください",
    send: "送信",
    stop: "停止",
    talk: "会話",
    you: "あなた",
    assistant: "アシスタント",
    complete: "回答が届きました。",
    working: "回答を準備しています",
    stopped: "この回答を停止しました。",
    busy: "回答を受け取っています。別の内容を送るには停止してください。",
    ready: "もう一度お試しいただけます。",
    wait: "あと{time}",
    reference: "照会番号",
    support: "サポート",
    status_page: "サービスの状況",
    help: "ヘルプ",
    history: "以前の回答",
    more: "詳しく読む",
  },
  ar: {
    ask: "رسالتك",
    hint: "اسأل ما تشاء",
    send: "إرسال",
    stop: "إيقاف",
    talk: "المحادثة",
    you: "أنت",
    assistant: "المساعد",
    complete: "اكتملت الإجابة.",
    working: "يجري إعداد الإجابة",
    stopped: "أوقفت هذه الإجابة.",
    busy: "الإجابة في الطريق. أوقفها لإرسال شيء آخر.",
    ready: "يمكنك المحاولة الآن.",
    wait: "بعد {time}",
    reference: "الرقم المرجعي",
    support: "الدعم",
    status_page: "حالة الخدمة",
    help: "مساعدة",
    history: "الإجابات السابقة",
    more: "اقرأ المزيد",
  },
}

/** Of the client. */
const outages = {
  en: {
    working: "Working on it",
    retry: "Try again",
    edit: "Change the wording",
    contact: "Contact support",
    offline: ["You are offline", "Nothing is lost. The answer goes on as soon as you are connected again."],
    lost: ["Connecting again", "The connection was lost. What arrived is kept, and you do not need to do anything."],
    down: ["The assistant cannot be reached", "You did nothing wrong, and nothing is sent twice. Try again in a moment."],
    refused: ["This message could not be sent", "It was not taken the way it is. Change it and send it again."],
    denied: ["This is not set up correctly", "You did nothing wrong. Please tell support; trying again will not help."],
  },
  es: {
    working: "Trabajando en ello",
    retry: "Intentar de nuevo",
    edit: "Cambiar el texto",
    contact: "Contactar con soporte",
    offline: ["Sin conexión", "No se pierde nada. La respuesta seguirá en cuanto vuelvas a tener conexión."],
    lost: ["Conectando de nuevo", "Se perdió la conexión. Lo que llegó se conserva y no tienes que hacer nada."],
    down: ["No se puede contactar con el asistente", "No has hecho nada mal y nada se envía dos veces. Inténtalo de nuevo en un momento."],
    refused: ["No se pudo enviar este mensaje", "No se aceptó tal como está. Cámbialo y envíalo otra vez."],
    denied: ["Esto no está bien configurado", "No has hecho nada mal. Avisa a soporte; intentarlo de nuevo no ayudará."],
  },
  de: {
    working: "Antwort kommt",
    retry: "Noch einmal versuchen",
    edit: "Anders formulieren",
    contact: "Support fragen",
    offline: ["Sie sind offline", "Nichts geht verloren. Die Antwort geht weiter, sobald Sie wieder verbunden sind."],
    lost: ["Verbindung wird neu aufgebaut", "Die Verbindung ist abgerissen. Was da ist, bleibt; Sie müssen nichts tun."],
    down: ["Der Assistent ist nicht erreichbar", "Es liegt nicht an Ihnen, und nichts wird doppelt gesendet. Versuchen Sie es gleich noch einmal."],
    refused: ["Diese Nachricht ging nicht durch", "So wurde sie nicht angenommen. Ändern Sie sie und senden Sie sie noch einmal."],
    denied: ["Hier stimmt eine Einstellung nicht", "Es liegt nicht an Ihnen. Bitte sagen Sie es dem Support; noch ein Versuch hilft nicht."],
  },
  fr: {
    working: "Réponse en cours",
    retry: "Réessayer",
    edit: "Modifier le texte",
    contact: "Contacter l’assistance",
    offline: ["Vous êtes hors ligne", "Rien n’est perdu. La réponse reprendra dès que vous serez de nouveau connecté."],
    lost: ["Nouvelle connexion", "La connexion a été coupée. Ce qui est arrivé est gardé, vous n’avez rien à faire."],
    down: ["L’assistant est injoignable", "Vous n’y êtes pour rien et rien n’est envoyé deux fois. Réessayez dans un instant."],
    refused: ["Ce message n’a pas pu être envoyé", "Il n’a pas été accepté tel quel. Modifiez-le et envoyez-le à nouveau."],
    denied: ["Un réglage n’est pas correct", "Vous n’y êtes pour rien. Prévenez l’assistance ; réessayer n’aidera pas."],
  },
  ja: {
    working: "回答を準備しています",
    retry: "もう一度試す",
    edit: "言い方を変える",
    contact: "サポートに連絡",
    offline: ["オフラインです", "何も失われていません。接続が戻ると回答の続きを受け取ります。"],
    lost: ["再接続しています", "接続が切れました。届いた分は残っています。何もする必要はありません。"],
    down: ["アシスタントに接続できません", "お客様の操作に問題はなく、二重に送信されることもありません。しばらくしてお試しください。"],
    refused: ["このメッセージは送信できませんでした", "このままでは受け付けられませんでした。内容を変えて送り直してください。"],
    denied: ["設定に問題があります", "お客様の操作に問題はありません。サポートにお知らせください。再試行では直りません。"],
  },
  ar: {
    working: "يجري إعداد الإجابة",
    retry: "حاول مرة أخرى",
    edit: "غيّر الصياغة",
    contact: "اتصل بالدعم",
    offline: ["أنت غير متصل", "لم يُفقد شيء. تستمر الإجابة عندما تتصل من جديد."],
    lost: ["إعادة الاتصال", "انقطع الاتصال. ما وصل محفوظ، ولا يلزمك فعل شيء."],
    down: ["تعذّر الوصول إلى المساعد", "لم تخطئ في شيء، ولا يُرسل شيء مرتين. حاول مرة أخرى بعد قليل."],
    refused: ["تعذّر إرسال هذه الرسالة", "لم تُقبل كما هي. غيّرها ثم أرسلها من جديد."],
    denied: ["يوجد خطأ في الإعداد", "لم تخطئ في شيء. أخبر الدعم من فضلك؛ لن تفيد إعادة المحاولة."],
  },
}

/** @typedef {typeof labels["en"]} Labels */
/** @typedef {typeof outages["en"]} Outages */

/** The locales there are words in. */
export const locales = /* @__PURE__ */ Object.keys(labels)

/**
 * The labels of the elements; English where there are none.
 * @param {string | null | undefined} locale a language tag such as "de" or "de-AT"
 * @returns {Labels}
 */
export function labelsFor(locale) {
  return chosen(labels, locale)
}

/**
 * What the page says when the service cannot: titles and bodies; English where there are none.
 * @param {string | null | undefined} locale a language tag such as "de" or "de-AT"
 * @returns {Outages & { locale: string }}
 */
export function outagesFor(locale) {
  return { ...chosen(outages, locale), locale: Object.hasOwn(outages, language(locale)) ? language(locale) : "en" }
}

/**
 * Which way a language is written.
 * @param {string | null | undefined} locale
 */
export function direction(locale) {
  return /^(ar|fa|he|ur|yi|ps|sd|ug|dv)$/.test(language(locale)) ? "rtl" : "ltr"
}

/** @param {string | null | undefined} locale */
function language(locale) {
  return (locale ?? "").toLowerCase().split(/[-_]/)[0]
}

/**
 * @template T
 * @param {Record<string, T> & { en: T }} table
 * @param {string | null | undefined} locale
 */
function chosen(table, locale) {
  const found = language(locale)
  return Object.hasOwn(table, found) ? table[found] : table.en
}
